import { afterEach, describe, expect, it, vi } from 'vitest'

import { newId } from './ids'

describe('newId', () => {
  afterEach(() => vi.unstubAllGlobals())

  it('makes ids on pages without a certificate too', () => {
    const getRandomValues = crypto.getRandomValues.bind(crypto)
    vi.stubGlobal('crypto', { getRandomValues })

    const ids = new Set(Array.from({ length: 100 }, newId))

    expect(ids.size).toBe(100)
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})
