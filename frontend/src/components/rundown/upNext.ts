import type { Cue, Cursor, Utterance } from '@/api/schema'

import { splitMarks, splitSentences } from './sentences'

/** What is being said now, and the sentence of the script that follows it. */
export interface Captions {
  now: string
  next: string
}

interface Place {
  cue: string
  sentence: number
  text: string
}

function spoken(sentence: string): string {
  const parts = splitMarks(sentence).filter((part) => !part.isMark)
  return parts.map((part) => part.text).join('').trim()
}

function placesOf(cues: Cue[]): Place[] {
  const ordered = [...cues].sort((a, b) => (a.position ?? 0) - (b.position ?? 0))
  return ordered.flatMap((cue) =>
    cue.kind === 'speech'
      ? splitSentences(cue.text).map((text, sentence) => ({ cue: cue.id, sentence, text: spoken(text) }))
      : [],
  )
}

/** The cursor names the sentence on the clock while it is said, else the one to be said next. */
export function captionsOf(
  utterances: Utterance[],
  cues: Cue[],
  cursor: Cursor | null,
  isLoop: boolean,
): Captions {
  const speaking = utterances.findLast((item) => item.state === 'speaking')
  const now = speaking?.text ?? ''
  const places = placesOf(cues)
  const at = places.findIndex((item) => item.cue === cursor?.cue && item.sentence === cursor.sentence)
  if (at < 0) return { now, next: '' }
  const isOnClock = speaking?.source === 'script' && speaking.sentence === cursor?.sentence && speaking.cue === cursor?.cue
  const following = isOnClock ? at + 1 : at
  const next = places[following] ?? (isLoop ? places[0] : undefined)
  return { now, next: next?.text ?? '' }
}
