import { describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/errors'
import type { BroadcastOutput } from '@/api/schema'

import { mountApp } from '../../../tests/mount'
import { eventually } from '../../../tests/useFakeServer'

import OutputRow from './OutputRow.vue'

function mountRow(fields: Partial<BroadcastOutput>, props: Record<string, unknown> = {}) {
  const output = { id: 'o', output: 'd', state: 'live', reason: '', bitrate_kbps: 2514, dropped: 0, reconnects: 0, ...fields }
  const saveKey = vi.fn().mockResolvedValue(true)
  const all = { output, name: '抖音', canSwitch: true, canReplaceKey: true, saveKey, ...props }
  return { row: mountApp(OutputRow, { props: all }).wrapper, saveKey }
}

const button = (row: ReturnType<typeof mountRow>['row'], text: string) => {
  const found = row.findAll('button').find((item) => item.text() === text)
  if (!found) throw new Error(`no button ${text}`)
  return found
}

describe('OutputRow', () => {
  it('shows bitrate, drops and why it is retrying', () => {
    const { row } = mountRow({ state: 'retrying', reason: 'The server closed the connection.', dropped: 61 })

    expect(row.text()).toContain('2,514 kbps')
    expect(row.text()).toContain('61')
    expect(row.get('.reason').text()).toBe('The server closed the connection.')
  })

  it('takes a double click on stop for one: start stands there then', () => {
    const { row } = mountRow({ state: 'live' })

    for (const detail of [1, 2]) button(row, 'Stop').element.dispatchEvent(new MouseEvent('click', { detail, bubbles: true }))

    expect(row.emitted('stop')).toHaveLength(1)
  })

  it('asks for today’s key and sends it without its blanks', async () => {
    const { row, saveKey } = mountRow({ state: 'waiting_for_key' })
    await row.get('[data-testid=output-key]').setValue('  live_123  ')

    await row.get('form').trigger('submit')

    expect(saveKey).toHaveBeenCalledWith('live_123')
    await eventually(() => expect((row.get('[data-testid=output-key]').element as HTMLInputElement).value).toBe(''))
  })

  it('says beside its field why a key is refused, hides it while it is typed and keeps it', async () => {
    const details = [{ field: 'stream_key', code: 'invalid', message: 'This is not a stream key.' }]
    const refusal = new ApiError({ code: 'invalid', message: 'x', details }, 400)
    const { row } = mountRow({ state: 'waiting_for_key' }, { saveKey: vi.fn().mockRejectedValue(refusal) })
    const input = row.get<HTMLInputElement>('[data-testid=output-key]')
    await input.setValue('live_123')

    await row.get('form').trigger('submit')

    await eventually(() => expect(row.get('[data-testid=field-error]').text()).toBe('This is not a stream key.'))
    expect(document.activeElement).toBe(input.element)
    expect(input.element.type).toBe('password')
    expect(input.element.value).toBe('live_123')
  })

  it.each([
    ['', 'Fill this in.'],
    ['k'.repeat(401), 'At most 400 characters; this has 401.'],
  ])('sends no key that cannot be one', async (key, reason) => {
    const { row, saveKey } = mountRow({ state: 'waiting_for_key' })
    await row.get('[data-testid=output-key]').setValue(key)

    await row.get('form').trigger('submit')

    expect(row.get('[data-testid=field-error]').text()).toBe(reason)
    expect(saveKey).not.toHaveBeenCalled()
  })

  it('opens the key form on demand and closes it when saved', async () => {
    const { row } = mountRow({})
    await row.get('[data-testid=replace-key]').trigger('click')
    await row.get('[data-testid=output-key]').setValue('new_key')

    await row.get('form').trigger('submit')

    await eventually(() => expect(row.find('form').exists()).toBe(false))
  })

  it.each([
    ['stopped', 'Start', 'start'],
    ['failed', 'Start', 'start'],
    ['live', 'Stop', 'stop'],
  ] as const)('offers for %s: %s', async (state, label, event) => {
    const { row } = mountRow({ state })

    await button(row, label).trigger('click')

    expect(row.emitted(event)).toHaveLength(1)
  })

  it('gives a viewer nothing to press', () => {
    const { row } = mountRow({ state: 'waiting_for_key' }, { canSwitch: false, canReplaceKey: false })

    expect(row.find('form').exists()).toBe(false)
    expect(button(row, 'Stop').attributes('disabled')).toBeDefined()
  })
})
