/**
 * A cue's text as the runner speaks it: sentence by sentence, so that the cursor's number points at
 * the right words. Follows the runner's rules: ends of sentences, decimals, addresses, `[pause]`.
 */

export interface SentencePart {
  text: string
  isMark: boolean
}

const MARK = /\[([^\]\n]*)\]/g
const PAUSE = /^\s*pause(\s|$)/i
const ALWAYS_END = '。！？；…'
const MAYBE_END = '.!?;'
const CLOSERS = '”’"\')）】」』》]}'
const OPENERS = '“‘「『（(['
const CHINESE = /[\u3000-\u303f\u3400-\u9fff\uff00-\uffef]/
const ADDRESS = /(?:https?:\/\/|www\.)\S+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g
const NEVER_END = new Set('mr mrs ms dr prof st vs e.g i.e fig approx gen rev hon mt'.split(' '))

type Range = readonly [from: number, to: number]

const isSpoken = (text: string) => /[\p{L}\p{N}]/u.test(text.replace(MARK, ''))

/** The text with each mark blanked by characters that end nothing, so that places stay the same. */
function withoutMarks(text: string): string {
  return text.replace(MARK, (mark) => '\u0000'.repeat(mark.length))
}

function goesOn(plain: string, start: number, at: number, marksEnd: number, end: number): boolean {
  const rest = plain.slice(end).replace(/\u0000/g, '')
  if (end > marksEnd && /^[ \t]*\p{Ll}/u.test(rest)) return true
  if (ALWAYS_END.includes(plain.charAt(at))) return false
  const next = rest.charAt(0)
  if (next && !/\s/.test(next) && !CHINESE.test(next)) return !OPENERS.includes(next)
  if (plain.charAt(at) !== '.' || marksEnd - at > 1) return false
  const words = plain.slice(start, at).replace(/\u0000/g, '').trim().split(/\s+/)
  const word = (words.at(-1) ?? '').toLowerCase()
  if (words.length === 1 && /^\d+$/.test(word)) return true
  return NEVER_END.has(word) || (/^\p{L}$/u.test(word) && word !== 'i')
}

/** Where the sentence that began at `start` ends, if the character at `at` ends it. */
function endAt(plain: string, start: number, at: number, addresses: Range[]): number | null {
  const character = plain.charAt(at)
  if (character === '\n') return at + 1
  const ends = ALWAYS_END + MAYBE_END
  if (!ends.includes(character)) return null
  if (addresses.some(([from, to]) => from <= at && at < to - 1)) return null
  let marksEnd = at + 1
  while (marksEnd < plain.length && ends.includes(plain.charAt(marksEnd))) marksEnd += 1
  let end = marksEnd
  while (end < plain.length && CLOSERS.includes(plain.charAt(end))) end += 1
  return goesOn(plain, start, at, marksEnd, end) ? null : end
}

/** Sentences between two pauses; a piece without a word joins the sentence before it. */
function splitSection(text: string): string[] {
  const plain = withoutMarks(text)
  const addresses = [...plain.matchAll(ADDRESS)].map((match): Range => {
    return [match.index, match.index + match[0].length]
  })
  const pieces: string[] = []
  let start = 0
  for (let at = 0; at < plain.length; at += 1) {
    const end = endAt(plain, start, at, addresses)
    if (end === null) continue
    pieces.push(text.slice(start, end))
    start = end
    at = end - 1
  }
  if (start < text.length) pieces.push(text.slice(start))
  return joinSilent(pieces)
}

function joinSilent(pieces: string[]): string[] {
  const sentences: string[] = []
  let ahead = ''
  for (const piece of pieces) {
    const last = sentences.length - 1
    if (isSpoken(piece)) {
      sentences.push(ahead + piece)
      ahead = ''
    } else if (last >= 0) sentences[last] += piece
    else ahead += piece
  }
  return ahead ? [...sentences, ahead] : sentences
}

/** The sentences of a cue's text, marks included. Joined together they give the text again. */
export function splitSentences(text: string): string[] {
  const sentences: string[] = []
  let start = 0
  for (const match of text.matchAll(MARK)) {
    if (!PAUSE.test(match[1] ?? '')) continue
    const end = match.index + match[0].length
    sentences.push(...splitSection(text.slice(start, end)))
    start = end
  }
  sentences.push(...splitSection(text.slice(start)))
  const last = sentences.at(-1)
  // Blank text behind the last sentence is no sentence of its own.
  if (last !== undefined && sentences.length > 1 && last.trim() === '') {
    sentences.splice(-2, 2, (sentences.at(-2) ?? '') + last)
  }
  return sentences
}

/** A sentence cut at its stage marks such as `[wave]`. */
export function splitMarks(sentence: string): SentencePart[] {
  const parts: SentencePart[] = []
  let from = 0
  for (const match of sentence.matchAll(MARK)) {
    if (match.index > from) parts.push({ text: sentence.slice(from, match.index), isMark: false })
    parts.push({ text: match[1] ?? '', isMark: true })
    from = match.index + match[0].length
  }
  if (from < sentence.length) parts.push({ text: sentence.slice(from), isMark: false })
  return parts
}
