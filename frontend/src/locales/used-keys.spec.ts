// @vitest-environment node
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import en from './en.json'

const SOURCE = join(process.cwd(), 'src')

function textOf(key: string): unknown {
  return key.split('.').reduce<unknown>((tree, part) => (tree as Record<string, unknown>)?.[part], en)
}

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (name) => /\.(vue|ts)$/.test(name) && !name.endsWith('.spec.ts'),
)
const source = files.map((name) => readFileSync(join(SOURCE, name), 'utf8')).join('\n')

describe('texts in the source', () => {
  it('use only keys that exist', () => {
    const used = [...source.matchAll(/\bt\(\s*'([\w.]+)'/g)].map((match) => match[1] ?? '')
    const missing = used.filter((key) => typeof textOf(key) !== 'string')

    expect(used.length).toBeGreaterThan(60)
    expect(missing).toEqual([])
  })

  it('build keys only below groups that exist', () => {
    const groups = [...source.matchAll(/\bt\(\s*`([\w.]+)\.\$\{/g)].map((match) => match[1] ?? '')
    const missing = groups.filter((key) => typeof textOf(key) !== 'object')

    expect(groups.length).toBeGreaterThan(5)
    expect(missing).toEqual([])
  })
})
