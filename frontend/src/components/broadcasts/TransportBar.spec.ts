import { describe, expect, it } from 'vitest'

import { mountApp } from '../../../tests/mount'

import TransportBar from './TransportBar.vue'

const mountBar = (script: string, isDisabled = false) =>
  mountApp(TransportBar, { props: { script, isDisabled } }).wrapper

describe('TransportBar', () => {
  it('interrupts and lets the script go on after five seconds', async () => {
    const bar = mountBar('running')

    await bar.get('[data-testid=interrupt]').trigger('click')

    expect(bar.emitted('interrupt')).toEqual([[5]])
  })

  it('interrupts and holds when asked to', async () => {
    const bar = mountBar('running')
    await bar.get('[data-testid=interrupt-hold]').setValue('hold')

    await bar.get('[data-testid=interrupt]').trigger('click')

    expect(bar.emitted('interrupt')).toEqual([[null]])
  })

  it.each(['paused', 'held'])('offers to resume a script that is %s', async (script) => {
    const bar = mountBar(script)

    await bar.get('[data-testid=resume]').trigger('click')

    expect(bar.emitted('resume')).toHaveLength(1)
    expect(bar.find('[data-testid=pause]').exists()).toBe(false)
  })

  it.each(['skip', 'pause'])('takes a double click on %s for one', (verb) => {
    const bar = mountBar('running')
    const button = bar.get(`[data-testid=${verb}]`).element

    for (const detail of [1, 2]) button.dispatchEvent(new MouseEvent('click', { detail, bubbles: true }))

    expect(bar.emitted(verb)).toHaveLength(1)
  })

  it('has nothing to pause or skip when the script is finished', () => {
    const bar = mountBar('finished')

    expect(bar.get('[data-testid=pause]').attributes('disabled')).toBeDefined()
    expect(bar.get('[data-testid=skip]').attributes('disabled')).toBeDefined()
    expect(bar.get('[data-testid=stop]').attributes('disabled')).toBeUndefined()
  })

  it('is off altogether when disabled', () => {
    const buttons = mountBar('running', true).findAll('button')

    expect(buttons.every((button) => button.attributes('disabled') !== undefined)).toBe(true)
  })
})
