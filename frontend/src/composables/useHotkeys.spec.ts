import { mount } from '@vue/test-utils'
import { describe, expect, it, vi } from 'vitest'
import { defineComponent } from 'vue'

import { useHotkeys } from './useHotkeys'

function mountWith(keys: Record<string, () => void>) {
  const page = defineComponent({
    setup: () => useHotkeys(keys),
    template: '<div><input /><button>b</button></div>',
  })
  return mount(page, { attachTo: document.body })
}

const press = (target: EventTarget, init: KeyboardEventInit) =>
  target.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init }))

describe('useHotkeys', () => {
  it('runs the action of a key', () => {
    const pause = vi.fn()
    mountWith({ p: pause })

    press(document.body, { key: 'p' })

    expect(pause).toHaveBeenCalledOnce()
  })

  it('tells a shifted letter and a symbol from the plain key', () => {
    const [stop, help] = [vi.fn(), vi.fn()]
    mountWith({ 'shift+s': stop, '?': help })

    press(document.body, { key: 's' })
    press(document.body, { key: 'S', shiftKey: true })
    press(document.body, { key: '?', shiftKey: true })

    expect([stop.mock.calls.length, help.mock.calls.length]).toEqual([1, 1])
  })

  it('stays silent while somebody types or holds the key', () => {
    const pause = vi.fn()
    const page = mountWith({ p: pause })

    press(page.get('input').element, { key: 'p' })
    press(document.body, { key: 'p', repeat: true })
    press(document.body, { key: 'p', ctrlKey: true })

    expect(pause).not.toHaveBeenCalled()
  })

  it('lets go when the page is left', () => {
    const pause = vi.fn()
    mountWith({ p: pause }).unmount()

    press(document.body, { key: 'p' })

    expect(pause).not.toHaveBeenCalled()
  })
})
