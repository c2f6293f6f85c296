// @vitest-environment node
import { describe, expect, it } from 'vitest'

import { EXPRESSIONS, GESTURES } from '@/api/schema'

import en from './en.json'
import zhCN from './zh-CN.json'

type Tree = { [key: string]: string | Tree }

function flatten(tree: Tree, prefix = ''): [string, string][] {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'string'
      ? [[prefix + key, value] as [string, string]]
      : flatten(value, `${prefix}${key}.`),
  )
}

/** Once each: English says the count in the singular and in the plural. */
const placeholders = (text: string) =>
  [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]))].sort()

describe('locales', () => {
  const english = new Map(flatten(en))
  const chinese = new Map(flatten(zhCN))

  it('have the same keys in both languages', () => {
    expect([...chinese.keys()].sort()).toEqual([...english.keys()].sort())
  })

  it('leave no text empty', () => {
    const empty = [...english, ...chinese].filter(([, text]) => text.trim() === '')

    expect(empty).toEqual([])
  })

  it('use the same placeholders in both languages', () => {
    const different = [...english].filter(
      ([key, text]) => `${placeholders(text)}` !== `${placeholders(chinese.get(key) ?? '')}`,
    )

    expect(different).toEqual([])
  })

  it('name every expression and gesture', () => {
    expect(Object.keys(en.expressions)).toEqual([...EXPRESSIONS])
    expect(Object.keys(en.gestures)).toEqual([...GESTURES])
  })

  it('write Chinese in Chinese', () => {
    const words = (text: string) => text.replace(/\{\w+\}/g, '')
    const untranslated = [...chinese].filter(([, text]) => /^[\w\s.,:!?]+$/.test(words(text)))

    expect(untranslated).toEqual([])
  })
})
