// @vitest-environment node
import { readFileSync } from 'node:fs'

import { describe, expect, it } from 'vitest'

import { splitMarks, splitSentences } from './sentences'

const TABLE = JSON.parse(
  readFileSync(new URL('../../../../tests/inference/text/sentences.json', import.meta.url), 'utf8'),
) as [text: string, sentences: string[]][]

describe('splitSentences', () => {
  it.each(TABLE)('cuts %j as the runner does', (text, sentences) => {
    const words = splitSentences(text).map((sentence) => {
      const parts = splitMarks(sentence).filter((part) => !part.isMark)
      return parts.map((part) => part.text).join('').trim()
    })

    expect(words).toEqual(sentences.length > 0 ? sentences : [text.trim()])
  })

  it('keeps stage marks with the sentence they stand in or before', () => {
    expect(splitSentences('[wave]你好！[happy]欢迎。')).toEqual(['[wave]你好！', '[happy]欢迎。'])
  })

  it('counts a pause before the first word as a step of its own', () => {
    expect(splitSentences('[pause 0.8]开始。')).toEqual(['[pause 0.8]', '开始。'])
  })

  it('lets a pause end a sentence without punctuation', () => {
    expect(splitSentences('看这里[pause 1]就是它')).toEqual(['看这里[pause 1]', '就是它'])
  })

  it('loses no character', () => {
    const text = ' …嗯，[wink] 3.5 折！！  好吗?\\[[pause 2] ok. '

    expect(splitSentences(text).join('')).toBe(text)
  })
})

describe('splitMarks', () => {
  it('sets marks apart from words', () => {
    expect(splitMarks('[wave]你好')).toEqual([
      { text: 'wave', isMark: true },
      { text: '你好', isMark: false },
    ])
  })
})
