import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import type { NextAiring } from '@/api/schema'
import { i18n } from '@/i18n'

import { mountApp } from '../../../tests/mount'

import ShowAirings from './ShowAirings.vue'

const AT = new Date('2026-11-21T12:00:00Z')

/** AT on a clock that is so many hours ahead of the reader's. */
function ahead(hours: number): string {
  const shifted = new Date(AT.getTime() - AT.getTimezoneOffset() * 60_000 + hours * 3_600_000)
  return shifted.toISOString().slice(0, 19)
}

const airing = (hours: number, state: 'scheduled' | 'missed', reason = '') => ({
  starts_at: AT.toISOString(), starts_at_local: ahead(hours), state, reason, broadcast: null,
})

async function mountAirings(airings: Partial<NextAiring>, language: 'en' | 'zh-CN' = 'en') {
  const { wrapper } = mountApp(ShowAirings, {
    props: { zone: 'Asia/Shanghai', airings: { show: 's1', next: null, missed: null, ...airings } },
  })
  i18n.global.locale.value = language
  await wrapper.vm.$nextTick()
  return wrapper
}

describe('ShowAirings', () => {
  beforeEach(() => void vi.useFakeTimers({ now: AT, toFake: ['Date'] }))
  afterEach(() => void vi.useRealTimers())

  it('tells the next airing on the clocks of the show and of a reader elsewhere', async () => {
    const wrapper = await mountAirings({ next: airing(5, 'scheduled') })

    const text = wrapper.get('[data-testid=next-airing]').text()
    const [shown, own] = [ahead(5).slice(11, 16), ahead(0).slice(11, 16)]
    expect(text).toMatch(new RegExp(`^Next: \\w{3},? .*${shown} \\(Asia/Shanghai\\), .*${own} your time$`))
    expect(wrapper.get('time').attributes('datetime')).toBe(AT.toISOString())
    expect(wrapper.find('[data-testid=missed-airing]').exists()).toBe(false)
  })

  it('tells it once to a reader whose clocks show the same', async () => {
    const wrapper = await mountAirings({ next: airing(0, 'scheduled') }, 'zh-CN')

    const text = wrapper.get('[data-testid=next-airing]').text()
    expect(text).toMatch(/^下次开播：11月2\d日周. \d\d:\d\d$/)
  })

  it('says what an airing waits for', async () => {
    const next = airing(0, 'scheduled', 'Waits until the airing before has ended.')
    const wrapper = await mountAirings({ next })

    expect(wrapper.get('[data-testid=next-airing]').text()).toContain('Waits until the airing before has ended.')
  })

  it.each([
    ['en', 'The system was not running in time.', 'Missed '],
    ['zh-CN', '到点时系统没有运行。', '错过了'],
  ] as const)('says in %s that one was missed, and why', async (language, reason, word) => {
    const missed = airing(0, 'missed', 'The system was not running in time.')
    const wrapper = await mountAirings({ missed }, language)

    const text = wrapper.get('[data-testid=missed-airing]').text()
    expect(text).toContain(word)
    expect(text).toContain(reason)
    expect(wrapper.find('[data-testid=next-airing]').exists()).toBe(false)
  })
})
