import { describe, expect, it } from 'vitest'

import { scheduleLine } from './scheduleText'

const start = { starts_at_local: '2026-11-16T20:00:00', timezone: 'Asia/Shanghai' }

describe('scheduleLine', () => {
  it.each([
    ['', 'once', []],
    ['FREQ=DAILY', 'daily', []],
    ['FREQ=WEEKLY;BYDAY=SA,MO,WE', 'weekly', [0, 2, 5]],
    ['FREQ=WEEKLY', 'repeated', []],
    ['FREQ=DAILY;INTERVAL=2', 'repeated', []],
    ['FREQ=WEEKLY;BYDAY=MO;UNTIL=20271231', 'repeated', []],
    ['FREQ=MONTHLY;BYDAY=-1FR', 'repeated', []],
  ])('reads %s as %s', (rrule, key, days) => {
    expect(scheduleLine({ ...start, rrule })).toEqual({ key, days, time: '20:00', date: '2026-11-16', zone: 'Asia/Shanghai' })
  })
})
