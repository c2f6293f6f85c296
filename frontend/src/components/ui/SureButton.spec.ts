import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { mountApp } from '../../../tests/mount'

import SureButton from './SureButton.vue'

function mountButton() {
  const props = { label: 'Delete Shop', sure: 'Delete for good', isDisabled: false, name: 'remove' }
  return mountApp(SureButton, { props }).wrapper
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

describe('SureButton', () => {
  it('takes no double click for two decisions', async () => {
    const button = mountButton()

    await button.get('[data-testid=remove]').trigger('click')
    vi.setSystemTime(Date.now() + 200)
    await button.get('[data-testid=remove-sure]').trigger('click')
    expect(button.emitted('sure')).toBeUndefined()

    vi.setSystemTime(Date.now() + 500)
    await button.get('[data-testid=remove-sure]').trigger('click')
    expect(button.emitted('sure')).toHaveLength(1)
  })

  it('keeps the focus of whoever works by keyboard', async () => {
    const button = mountButton()
    button.get<HTMLElement>('[data-testid=remove]').element.focus()

    await button.get('[data-testid=remove]').trigger('click')

    expect(document.activeElement).toBe(button.get('[data-testid=remove-sure]').element)
  })
})
