// @vitest-environment node
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { amountText, clockText, localText, momentText, numberText, secondsText, timeText } from './formatting'

describe('formatting', () => {
  beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-11-20T12:00:00Z') }))
  afterEach(() => void vi.useRealTimers())

  it.each([
    [0, '00:00'],
    [61_900, '01:01'],
    [3_723_000, '1:02:03'],
    [-5, '00:00'],
  ])('reads %i ms as a clock', (milliseconds, text) => {
    expect(clockText(milliseconds)).toBe(text)
  })

  it('reads numbers with groups, or a dash', () => {
    expect(numberText(2514.26, 1)).toBe('2,514.3')
    expect(numberText(null)).toBe('–')
    expect(numberText(Number.NaN)).toBe('–')
  })

  it.each([
    ['storage_bytes', 0, '0 B'],
    ['storage_bytes', 1536, '1.5 kB'],
    ['storage_bytes', 53_687_091_200, '50 GB'],
    ['broadcast_minutes', 1234.5, '1,234.5'],
    ['avatars', 3, '3'],
  ])('reads an amount of %s', (meter, amount, text) => {
    expect(amountText(meter, amount)).toBe(text)
  })

  it('tells a moment by its clock alone on its day, else with the date', () => {
    const moment = new Date(2026, 10, 21, 20, 5)

    expect(localText(moment, 'en', '2026-11-21')).toBe('20:05')
    expect(localText(moment, 'zh-CN', '2026-11-20')).toBe('11月21日周六 20:05')
    expect(localText(moment, 'en', '2026-11-20')).toMatch(/^Sat,? 21 Nov,? 20:05$/)
    expect(momentText(new Date('2026-11-21T20:05:00Z'), 'zh-CN', 'UTC')).toBe('11月21日周六 20:05')
  })

  it('tells the year of a moment that is half a year away', () => {
    const moment = new Date('2027-11-21T20:05:00Z')

    expect(momentText(moment, 'zh-CN', 'UTC')).toBe('2027年11月21日周日 20:05')
    expect(momentText(new Date('2027-01-03T20:05:00Z'), 'zh-CN', 'UTC')).toBe('1月3日周日 20:05')
  })

  it('reads seconds and times of day', () => {
    expect(secondsText(1240)).toBe('1.2 s')
    expect(timeText('2026-11-20T10:20:30Z')).toMatch(/^\d\d:\d\d:30$/)
    expect(timeText('never')).toBe('')
    expect(timeText(null)).toBe('')
  })
})
