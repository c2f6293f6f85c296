import { describe, expect, it } from 'vitest'

import { mountApp } from '../../../tests/mount'

import EventLog from './EventLog.vue'

const at = '2026-11-20T10:00:00Z'

describe('EventLog', () => {
  it('puts the newest first, in words, without sentence events', () => {
    const events = [
      { sequence: 1, kind: 'output', at, data: { name: 'Bilibili', state: 'retrying', reason: 'closed' } },
      { sequence: 2, kind: 'cursor', at, data: { cue: 'c' } },
      { sequence: 3, kind: 'utterance', at, data: { text: 't' } },
      { sequence: 4, kind: 'script.state', at, data: { script: 'held', reason: '' } },
      { sequence: 5, kind: 'brand.new', at, data: { state: 'odd' } },
    ]
    const { wrapper } = mountApp(EventLog, { props: { events } })

    const rows = wrapper.findAll('li').map((row) => row.findAll('span').map((cell) => cell.text()))
    expect(rows).toEqual([
      ['brand.new', 'odd'],
      ['Script', 'Held'],
      ['Output', 'Bilibili · Retrying · closed'],
    ])
  })
})
