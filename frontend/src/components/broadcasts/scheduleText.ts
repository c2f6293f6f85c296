/** When a show airs by itself, as far as a line can say it. */
export interface ScheduleLine {
  key: 'once' | 'daily' | 'weekly' | 'repeated'
  /** `20:00`, on the clocks of the zone. */
  time: string
  date: string
  zone: string
  /** Days of the week from 0 (Monday), for `weekly`. */
  days: number[]
}

const DAYS = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

interface Schedule {
  starts_at_local: string
  timezone: string
  rrule: string | null
}

export function scheduleLine({ starts_at_local, timezone, rrule }: Schedule): ScheduleLine {
  const [date = '', clock = ''] = starts_at_local.split('T')
  const parts = new Map((rrule ?? '').split(';').map((part) => part.split('=', 2) as [string, string]))
  const days = (parts.get('BYDAY') ?? '').split(',').map((day) => DAYS.indexOf(day))
  const isPlain = [...parts.keys()].every((name) => name === 'FREQ' || name === 'BYDAY')
  const line = { time: clock.slice(0, 5), date, zone: timezone, days: [] }
  if (!rrule) return { ...line, key: 'once' }
  // Every second week, until a day, the last Friday …: that it repeats is what one line can say.
  if (!isPlain) return { ...line, key: 'repeated' }
  if (parts.get('FREQ') === 'DAILY' && !parts.has('BYDAY')) return { ...line, key: 'daily' }
  if (parts.get('FREQ') !== 'WEEKLY' || days.includes(-1)) return { ...line, key: 'repeated' }
  return { ...line, key: 'weekly', days: days.sort((a, b) => a - b) }
}
