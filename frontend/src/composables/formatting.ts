/** Text forms of numbers and moments. */

const TWO = (value: number) => String(value).padStart(2, '0')

/** `1:02:03`, or `02:03` under an hour. Negative spans read as zero. */
export function clockText(milliseconds: number): string {
  const total = Math.max(0, Math.floor(milliseconds / 1000))
  const hours = Math.floor(total / 3600)
  const tail = `${TWO(Math.floor(total / 60) % 60)}:${TWO(total % 60)}`
  return hours > 0 ? `${hours}:${tail}` : tail
}

/** `12:34:56` in the reader's own time zone; empty for no time. */
export function timeText(iso: string | null): string {
  const date = iso ? new Date(iso) : null
  if (!date || Number.isNaN(date.getTime())) return ''
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(TWO).join(':')
}

const MOMENT = { weekday: 'short', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const
// From here on the month alone does not tell which one is meant.
const HALF_A_YEAR_MS = 182 * 24 * 3600 * 1000

/**
 * `Sat 21 Nov, 20:00` or `11月21日周六 20:00`, on the clocks of the zone; of the reader, where none is given.
 * With its year when it is half a year away or more.
 */
export function momentText(moment: Date, language: string, timeZone?: string): string {
  const locale = language === 'zh-CN' ? 'zh-CN' : 'en-GB'
  const isFar = Math.abs(moment.getTime() - Date.now()) > HALF_A_YEAR_MS
  return new Intl.DateTimeFormat(locale, { ...MOMENT, timeZone, year: isFar ? 'numeric' : undefined }).format(moment)
}

/** On the reader's clocks: `20:00` on the given day (today, unless told), else with its date. */
export function localText(moment: Date, language: string, day = dayOf(new Date())): string {
  return dayOf(moment) === day ? `${TWO(moment.getHours())}:${TWO(moment.getMinutes())}` : momentText(moment, language)
}

/** `2026-11-21`, on the reader's clocks. */
function dayOf(moment: Date): string {
  return `${moment.getFullYear()}-${TWO(moment.getMonth() + 1)}-${TWO(moment.getDate())}`
}

/** Seconds with one decimal: `4.2 s`. */
export function secondsText(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`
}

/** At most `digits` decimals, grouped thousands; a dash for nothing. */
export function numberText(value: number | null, digits = 0): string {
  if (value === null || !Number.isFinite(value)) return '–'
  return value.toLocaleString('en-US', { maximumFractionDigits: digits })
}

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB']

/** An amount of a meter: bytes in the unit that fits, all else with its thousands apart. */
export function amountText(meter: string, amount: number): string {
  if (meter !== 'storage_bytes') return numberText(amount, 1)
  const step = amount < 1024 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(amount) / 10))
  const size = amount / 1024 ** step
  return `${numberText(size, size < 10 ? 1 : 0)} ${SIZES[step]}`
}
