import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { IDS } from '../../../tests/fake-server/server.mjs'
import { mountApp } from '../../../tests/mount'
import { useFakeServer } from '../../../tests/useFakeServer'

import LiveThumbnail from './LiveThumbnail.vue'

useFakeServer()
const path = `broadcasts/${IDS.broadcast}/thumbnail/`

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

describe('LiveThumbnail', () => {
  it('keeps no runner at work for a page that nobody sees', async () => {
    const fetched = vi.spyOn(window, 'fetch')
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
    mountApp(LiveThumbnail, { props: { address: `/api/v1/${path}?signature=s` } })
    await vi.advanceTimersByTimeAsync(10_000)
    expect(fetched).not.toHaveBeenCalled()

    hidden.mockReturnValue(false)
    await vi.advanceTimersByTimeAsync(2_000)

    expect(fetched).toHaveBeenCalledOnce()
  })
})
