import { ref } from 'vue'
import { useI18n } from 'vue-i18n'

/** A button that copies. The clipboard is there on secure pages only; a text can be marked by hand everywhere. */
export function useCopy() {
  const { t } = useI18n()
  const canCopy = 'clipboard' in navigator
  const isCopied = ref(false)
  const error = ref('')

  async function copy(text: string): Promise<void> {
    error.value = ''
    try {
      await navigator.clipboard.writeText(text)
      isCopied.value = true
    } catch {
      isCopied.value = false
      error.value = t('copying.refused')
    }
  }

  return { canCopy, isCopied, error, copy }
}
