import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { loadAnew } from './router'

const answer = (status: number) => vi.spyOn(window, 'fetch').mockResolvedValue(new Response('', { status }))

beforeEach(() => sessionStorage.clear())
afterEach(() => sessionStorage.clear())

describe('a page whose parts are gone after an update', () => {
  it('is loaded whole, once', async () => {
    const go = vi.fn()
    answer(200)

    await loadAnew('/studio/voices/', go)
    await loadAnew('/studio/voices/', go)

    expect(go.mock.calls).toEqual([['/studio/voices/']])
  })

  it('stays as it is without a network, and while the server is down', async () => {
    const go = vi.fn()
    vi.spyOn(window, 'fetch').mockRejectedValueOnce(new TypeError('Failed to fetch'))
    await loadAnew('/studio/voices/', go)
    answer(503)
    await loadAnew('/studio/voices/', go)

    expect(go).not.toHaveBeenCalled()
  })
})
