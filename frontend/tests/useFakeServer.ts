import { afterEach, beforeEach, vi } from 'vitest'

import { forgetAccess, setOrganization } from '@/api/client'

import { createFakeServer } from './fake-server/server.mjs'

export type FakeServer = Awaited<ReturnType<typeof createFakeServer>>

declare const jsdom: { reconfigure: (settings: { url: string }) => void }

/** A fresh fake server per test; the page's own address is the server's. */
export function useFakeServer(): { current: FakeServer } {
  const holder = {} as { current: FakeServer }
  beforeEach(async () => {
    holder.current = await createFakeServer()
    jsdom.reconfigure({ url: `${holder.current.origin}/studio/` })
    localStorage.clear()
    sessionStorage.clear()
  })
  afterEach(async () => {
    forgetAccess()
    setOrganization(null)
    await holder.current.close()
  })
  return holder
}

/** Wait until `check` passes, for what a real socket brings. */
export function eventually<T>(check: () => T, timeout = 60_000): Promise<T> {
  return vi.waitFor(check, { timeout, interval: 10 }) as Promise<T>
}
