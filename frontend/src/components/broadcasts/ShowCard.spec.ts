import { describe, expect, it } from 'vitest'

import type { Show } from '@/api/schema'

import { mountApp } from '../../../tests/mount'

import ShowCard from './ShowCard.vue'

const show = (count: number) =>
  ({
    id: 's1', title: 'Tea', cues: Array(count).fill({}), outputs: Array(count).fill('o1'), schedule: null,
    rundown_mode: 'once', language: 'en-US', visibility: 'public',
  }) as unknown as Show

function textOf(count: number): string {
  const { wrapper } = mountApp({
    components: { ShowCard },
    setup: () => ({ show: show(count) }),
    template: '<ul><ShowCard :show="show" :is-busy="false" :may-start="false" :may-edit="false" error="" /></ul>',
  })
  return wrapper.text()
}

describe('ShowCard', () => {
  it.each([
    [0, '0 cues', '0 outputs'],
    [1, '1 cue', '1 output'],
    [2, '2 cues', '2 outputs'],
  ])('counts %i as one says it', (count, cues, outputs) => {
    expect(textOf(count)).toMatch(new RegExp(`${cues}(?!s).*${outputs}(?!s)`))
  })
})
