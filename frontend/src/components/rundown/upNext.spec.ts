// @vitest-environment node
import { describe, expect, it } from 'vitest'

import type { Cue, Utterance } from '@/api/schema'

import { captionsOf } from './upNext'

const cue = (id: string, position: number, text: string) => ({ id, position, kind: 'speech', text }) as Cue
const CUES = [cue('b', 1, '第三句。'), cue('a', 0, '[wave]第一句。第二句！')]
const said = (text: string, more: Partial<Utterance> = {}) =>
  ({ id: text, state: 'speaking', source: 'script', cue: 'a', sentence: 0, text, ...more }) as Utterance

describe('captionsOf', () => {
  it('tells the sentence being said and the one after it', () => {
    const captions = captionsOf([said('第一句。')], CUES, { cue: 'a', sentence: 0, loop: 0 }, false)

    expect(captions).toEqual({ now: '第一句。', next: '第二句！' })
  })

  it('goes on with the script after a line of the operator', () => {
    const line = said('欢迎！', { source: 'operator', cue: null, sentence: null })
    const captions = captionsOf([line], CUES, { cue: 'a', sentence: 1, loop: 0 }, false)

    expect(captions).toEqual({ now: '欢迎！', next: '第二句！' })
  })

  it('knows the first sentence without its marks, and begins again in a loop', () => {
    const last = said('第三句。', { cue: 'b' })
    const cursor = { cue: 'b', sentence: 0, loop: 0 }

    expect(captionsOf([last], CUES, cursor, true).next).toBe('第一句。')
    expect(captionsOf([last], CUES, cursor, false).next).toBe('')
  })

  it('is empty before anything is known', () => {
    expect(captionsOf([], [], null, false)).toEqual({ now: '', next: '' })
  })
})
