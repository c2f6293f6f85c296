// @vitest-environment node
import { describe, expect, it } from 'vitest'

import { splitMarks, splitSentences } from './sentences'

describe('splitSentences', () => {
  it.each([
    ['晚上好！我是小岚。', ['晚上好！', '我是小岚。']],
    ['只有1.2公斤。原价1299元！', ['只有1.2公斤。', '原价1299元！']],
    ['Mr. Li is here. Welcome.', ['Mr. Li is here.', ' Welcome.']],
    ['他说：“真的吗？”然后走了。', ['他说：“真的吗？”', '然后走了。']],
    ['"Really?" she said. Yes.', ['"Really?" she said.', ' Yes.']],
    ['See www.example.com/a.b now. Go.', ['See www.example.com/a.b now.', ' Go.']],
    ['1. First of all: hello.', ['1. First of all: hello.']],
    ['等等……好了', ['等等……', '好了']],
    ['第一行\n第二行', ['第一行\n', '第二行']],
  ])('cuts %j as the runner does', (text, sentences) => {
    expect(splitSentences(text)).toEqual(sentences)
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
    const text = ' …嗯，[wink] 3.5 折！！  好吗?[pause 2] ok. '

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
