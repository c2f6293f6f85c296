// @vitest-environment node
import { describe, expect, it } from 'vitest'

import { Backoff } from './backoff'

describe('Backoff', () => {
  it('doubles up to the maximum', () => {
    const backoff = new Backoff({ firstMs: 100, maximumMs: 500, jitter: 0 })

    expect([1, 2, 3, 4, 5].map(() => backoff.nextMs())).toEqual([100, 200, 400, 500, 500])
  })

  it('shortens each delay by at most the jitter', () => {
    const options = { firstMs: 1000, maximumMs: 1000, jitter: 0.4 }

    expect(new Backoff(options, () => 0).nextMs()).toBe(1000)
    expect(new Backoff(options, () => 1).nextMs()).toBe(600)
  })

  it('starts again after a reset', () => {
    const backoff = new Backoff({ firstMs: 100, maximumMs: 900, jitter: 0 })
    backoff.nextMs()
    backoff.nextMs()

    backoff.reset()

    expect(backoff.nextMs()).toBe(100)
  })
})
