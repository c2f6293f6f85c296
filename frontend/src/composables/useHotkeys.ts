import { onBeforeUnmount, onMounted } from 'vue'

export type Hotkeys = Record<string, () => void>

/** Name of a key press as `useHotkeys` takes it: `i`, `shift+s`, `ctrl+enter`. */
export function hotkeyName(event: KeyboardEvent): string {
  const parts = []
  if (event.ctrlKey || event.metaKey) parts.push('ctrl')
  if (event.altKey) parts.push('alt')
  const isLetter = /^[a-z]$/i.test(event.key)
  if (event.shiftKey && (isLetter || event.key.length > 1)) parts.push('shift')
  parts.push(event.key.toLowerCase())
  return parts.join('+')
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)
}

/** Single keys for the whole page; silent while somebody types, composes, or a dialog is open. */
export function useHotkeys(keys: Hotkeys): void {
  function onKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing || event.repeat) return
    if (isTyping(event.target) || document.querySelector('dialog[open]')) return
    const action = keys[hotkeyName(event)]
    if (!action) return
    event.preventDefault()
    action()
  }
  onMounted(() => window.addEventListener('keydown', onKey))
  onBeforeUnmount(() => window.removeEventListener('keydown', onKey))
}
