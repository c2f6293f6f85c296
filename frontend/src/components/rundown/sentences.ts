/**
 * A cue's text as the runner speaks it: sentence by sentence, so that the cursor's number points at
 * the right words. The rules are those of `inference/text`; a table of cases is tried on both.
 */
import { EXPRESSIONS, GESTURES } from '@/api/schema'

export interface SentencePart {
  text: string
  isMark: boolean
}

const NAMES = [...EXPRESSIONS, ...GESTURES].join('|')
/** Groups: an escaped bracket, what stands in a mark, the same in the brackets of Chinese keyboards. */
const BRACKET = new RegExp(
  String.raw`\\([[\]\\])|\[([^\[\]\n]*)\]|[【［]\s*(${NAMES}|pause\s[^】］\n]*?)\s*[】］]`,
  'gi',
)
const PAUSE = /^\s*pause(\s|$)/i

const CHINESE_LIMIT = 80
const OTHER_LIMIT = 200
const CHINESE = /[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]/
const ALWAYS_END = '。｡！？；…⋯'
const MAYBE_END = '.．!?;'
const LINE_ENDS = '\n\r\v\f\x85\u2028\u2029'
const CLOSERS = '”’"\'＂＇)）】」』》]}'
const OPENERS = '“‘「『（(['
const COMMA = /[，、：——]|[,:](?!\d)/g
const ADDRESS = /(?:https?:\/\/|www\.)[!-~]+|(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,64}(?:\.[\w-]{1,64})+/g
const LIST_NUMBER = /(?:^|[\s，,、：:])\d{1,2}$/
const INITIALS = /^(?:[a-z]\.)*[a-z]$/
const TITLES = new Set('mr mrs ms dr prof st vs e.g i.e fig approx gen rev hon mt'.split(' '))
const MAY_END = new Set('etc a.m p.m inc ltd co jr sr u.s u.k ph.d no dept'.split(' '))
const LOOK = 48

type Range = readonly [from: number, to: number]

const isSpoken = (text: string) => /[\p{L}\p{N}]/u.test(text)

/** Whether a straight quotation mark begins what is said: none waits for its partner. */
function opens(text: string, start: number, at: number): boolean {
  const mark = text.charAt(at)
  return '"＂'.includes(mark) && (text.slice(start, at).split(mark).length - 1) % 2 === 0
}

function isAbbreviation(before: string, following: string): boolean {
  const words = before.trim().split(/\s+/)
  const word = (words.at(-1) ?? '').replace(/^[“‘"'(（[]+/, '').toLowerCase()
  if (words.length === 1 && /^\d+$/.test(word)) return true
  if (TITLES.has(word)) return true
  if (INITIALS.test(word) && !MAY_END.has(word) && word !== 'i') return true
  if (word === 'no') return /^\d/.test(following)
  return MAY_END.has(word) && following !== '' && !/^\p{Lu}/u.test(following)
}

function goesOn(text: string, start: number, at: number, marksEnd: number, end: number): boolean {
  const rest = text.slice(end, end + LOOK)
  const following = rest.replace(/^[ \t]+/, '')
  if (end > marksEnd && /^\p{Ll}/u.test(following)) return true
  if (ALWAYS_END.includes(text.charAt(at))) return false
  const next = rest.charAt(0)
  if (next && !/\s/.test(next) && !CHINESE.test(next)) return !OPENERS.includes(next)
  if (text.charAt(at) !== '.' || marksEnd - at > 1) return false
  const before = text.slice(Math.max(start, at - LOOK), at)
  if (next === following.charAt(0) && LIST_NUMBER.test(before)) return true
  return isAbbreviation(before, following)
}

function roughRanges(text: string): Range[] {
  const addresses = [...text.matchAll(ADDRESS)].map((match): Range => {
    return [match.index, match.index + match[0].length - 1]
  })
  const isMark = (at: number) =>
    (ALWAYS_END + MAYBE_END).includes(text.charAt(at)) &&
    !addresses.some(([from, to]) => from <= at && at < to)
  const ranges: Range[] = []
  let start = 0
  let at = 0
  while (at < text.length) {
    const isLineEnd = LINE_ENDS.includes(text.charAt(at))
    let marksEnd = isLineEnd ? at + 1 : at
    while (!isLineEnd && marksEnd < text.length && isMark(marksEnd)) marksEnd += 1
    if (marksEnd === at) {
      at += 1
      continue
    }
    let end = marksEnd
    const isCloser = () => CLOSERS.includes(text.charAt(end)) && !opens(text, start, end)
    while (!isLineEnd && end < text.length && isCloser()) end += 1
    if (isLineEnd || !goesOn(text, start, at, marksEnd, end)) {
      ranges.push([start, end])
      start = end
    }
    at = end
  }
  return [...ranges, [start, text.length]]
}

/** The place up to which the sentence fits; null when all of it fits. */
function tooLongAt(text: string, start: number, end: number): number | null {
  let weight = 0
  for (let at = start; at < end; at += 1) {
    const character = text.charAt(at)
    // The second half of a character beyond the first plane has no weight of its own.
    if (/[\udc00-\udfff]/.test(character)) continue
    weight += 1 / (CHINESE.test(character) ? CHINESE_LIMIT : OTHER_LIMIT)
    if (weight > 1 + 1e-9) return at
  }
  return null
}

function bestCut(text: string, start: number, limit: number): number {
  const earliest = start + Math.floor((limit - start) / 4)
  const commas = [...text.slice(start, limit + 1).matchAll(COMMA)].map((match) => {
    return start + match.index + match[0].length
  })
  const comma = commas.findLast((end) => end <= limit)
  if (comma !== undefined && comma > earliest) return comma
  const space = text.lastIndexOf(' ', limit - 1)
  if (space >= earliest) return space + 1
  let cut = limit
  while (cut > earliest && belongs(text.charAt(cut - 1), text.charAt(cut))) cut -= 1
  return cut > earliest ? cut : limit
}

/** Whether a cut here would change what is read: 12|99元, iPh|one, a family of joined emoji. */
function belongs(before: string, after: string): boolean {
  if (/[\p{M}\u200d\udc00-\udfff]/u.test(after) || before === '\u200d') return true
  if (/[\d¥￥$€£]/.test(before)) return !/\s/.test(after)
  return /[!-~]/.test(before) && /[A-Za-z0-9]/.test(after)
}

function cutLong(text: string, [from, to]: Range): Range[] {
  const pieces: Range[] = []
  let start = from + (text.slice(from, to).match(/^\s*/)?.[0].length ?? 0)
  const end = from + text.slice(from, to).trimEnd().length
  let first = from
  for (let limit = tooLongAt(text, start, end); limit !== null; limit = tooLongAt(text, start, end)) {
    const cut = bestCut(text, start, limit)
    pieces.push([first, cut])
    start = first = cut
  }
  return [...pieces, [first, to]]
}

/** The ends of the sentences between two pauses, by the text without its marks. */
function endsOf(plain: string): number[] {
  const ranges = roughRanges(plain).flatMap((range) => cutLong(plain, range))
  return ranges.filter(([from, to]) => isSpoken(plain.slice(from, to))).map(([, to]) => to)
}

/** A section, marks included, cut behind its sentences; what has no word joins its neighbour. */
function splitSection(text: string): string[] {
  let plain = ''
  const origins: number[] = []
  let from = 0
  const keep = (to: number) => {
    for (; from < to; from += 1) {
      plain += text.charAt(from)
      origins.push(from)
    }
  }
  for (const match of text.matchAll(BRACKET)) {
    keep(match.index)
    if (match[1]) {
      from += 1
      keep(from + 1)
    }
    from = match.index + match[0].length
  }
  keep(text.length)
  const cuts = endsOf(plain).slice(0, -1).map((end) => (origins[end - 1] ?? 0) + 1)
  return [0, ...cuts].map((start, index) => text.slice(start, cuts[index]))
}

/** The sentences of a cue's text, marks included. Joined together they give the text again. */
export function splitSentences(text: string): string[] {
  const sections: string[] = []
  let start = 0
  for (const match of text.matchAll(BRACKET)) {
    if (!PAUSE.test(match[2] ?? match[3] ?? '')) continue
    const end = match.index + match[0].length
    sections.push(text.slice(start, end))
    start = end
  }
  const rest = text.slice(start)
  // Blank text behind the last pause is no sentence of its own.
  if (sections.length > 0 && !isSpoken(rest.replace(BRACKET, (_, escaped) => (escaped ? '' : 'a')))) {
    sections.push((sections.pop() ?? '') + rest)
  } else sections.push(rest)
  return sections.flatMap(splitSection)
}

/** A sentence cut at its stage marks such as `[wave]`; escaped brackets are text. */
export function splitMarks(sentence: string): SentencePart[] {
  const parts: SentencePart[] = []
  let text = ''
  let from = 0
  for (const match of sentence.matchAll(BRACKET)) {
    text += sentence.slice(from, match.index) + (match[1] ?? '')
    from = match.index + match[0].length
    if (match[1]) continue
    if (text) parts.push({ text, isMark: false })
    parts.push({ text: match[2] ?? match[3] ?? '', isMark: true })
    text = ''
  }
  text += sentence.slice(from)
  return text ? [...parts, { text, isMark: false }] : parts
}
