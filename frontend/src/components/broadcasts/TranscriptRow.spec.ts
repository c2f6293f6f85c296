import { describe, expect, it } from 'vitest'

import type { Utterance } from '@/api/schema'

import { mountApp } from '../../../tests/mount'

import TranscriptRow from './TranscriptRow.vue'

function mountRow(fields: Partial<Utterance>) {
  const utterance: Utterance = {
    id: 'u',
    source: 'script',
    cue: null,
    sentence: 0,
    loop: 0,
    text: '你好',
    generation: 1,
    state: 'said',
    reason: '',
    started_at: null,
    media_time_ms: 0,
    played_ms: null,
    duration_ms: null,
    ...fields,
  }
  return mountApp(TranscriptRow, { props: { utterance } }).wrapper
}

describe('TranscriptRow', () => {
  it('shows how much of an interrupted sentence was heard', () => {
    const row = mountRow({ state: 'interrupted', played_ms: 1240, duration_ms: 3380 })

    expect(row.text()).toContain('played 1.2 s of 3.4 s')
    expect(row.text()).toContain('Cut')
  })

  it('shows the played length alone when the whole length is not known', () => {
    expect(mountRow({ state: 'interrupted', played_ms: 1240 }).text()).toContain('played 1.2 s')
  })

  it('marks a line of the operator', () => {
    expect(mountRow({ source: 'operator' }).get('.source-operator').text()).toBe('Operator')
  })

  it('says why a line failed', () => {
    const row = mountRow({ state: 'failed', reason: 'The voice service answered with silence.' })

    expect(row.text()).toContain('answered with silence')
  })

  it('has no time before it is spoken', () => {
    expect(mountRow({ state: 'queued' }).get('time').text()).toBe('--:--:--')
  })
})
