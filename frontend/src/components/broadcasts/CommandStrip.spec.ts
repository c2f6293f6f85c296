import { describe, expect, it } from 'vitest'

import { ApiError } from '@/api/errors'
import type { CommandEntry } from '@/stores/commands'

import { mountApp } from '../../../tests/mount'

import CommandStrip from './CommandStrip.vue'

function mountStrip(fields: Partial<CommandEntry>) {
  const entry: CommandEntry = { id: '1', label: 'say', state: 'done', error: null, atMs: 0, ...fields }
  return mountApp(CommandStrip, { props: { entries: [entry] } }).wrapper
}

describe('CommandStrip', () => {
  it('says that it is ready before the first command', () => {
    const { wrapper } = mountApp(CommandStrip, { props: { entries: [] } })

    expect(wrapper.attributes('data-state')).toBe('idle')
  })

  it('tells that a command was done', () => {
    const strip = mountStrip({})

    expect(strip.text()).toBe('Say: done')
    expect(strip.attributes('aria-live')).toBe('polite')
  })

  it('prefers the field messages of a refusal', () => {
    const details = [{ field: 'text', code: 'max_length', message: 'At most 2000 characters.' }]
    const error = new ApiError({ code: 'invalid', message: 'The request is not valid.', details }, 400)

    expect(mountStrip({ state: 'failed', error }).text()).toBe('Say: At most 2000 characters.')
  })

  it('uses our words for a known code and the server’s for others', () => {
    const known = new ApiError({ code: 'forbidden', message: 'x' }, 403)
    const other = new ApiError({ code: 'command_failed', message: 'The voice is busy.' }, 409)

    expect(mountStrip({ state: 'failed', error: known }).text()).toBe('Say: Your role does not allow this.')
    expect(mountStrip({ state: 'failed', error: other }).text()).toBe('Say: The voice is busy.')
  })
})
