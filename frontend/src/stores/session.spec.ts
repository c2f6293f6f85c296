import { beforeEach, describe, expect, it } from 'vitest'
import { createPinia, setActivePinia } from 'pinia'

import type { Organization } from '@/api/schema'

import { useFakeServer } from '../../tests/useFakeServer'

import { useSessionStore } from './session'

const server = useFakeServer()
const member = (id: string): Organization => ({ id, name: id, role: 'owner', permissions: [] })

beforeEach(() => {
  setActivePinia(createPinia())
  server.current.state.world.me.organizations = [member('galaxy'), member('comet')]
})

describe('a session that is signed in to again', () => {
  it('goes on in its organization, whatever another tab has chosen meanwhile', async () => {
    const session = useSessionStore()
    await session.signIn('alice', 'correct-horse')
    session.chooseOrganization('galaxy')
    localStorage.setItem('livestudio.organization', 'comet')

    await session.signIn('alice', 'correct-horse')

    expect(session.organization).toBe('galaxy')
  })

  it('takes another where it is no member any more', async () => {
    const session = useSessionStore()
    await session.signIn('alice', 'correct-horse')
    session.chooseOrganization('galaxy')
    server.current.state.world.me.organizations = [member('comet')]

    await session.signIn('alice', 'correct-horse')

    expect(session.organization).toBe('comet')
  })
})

describe('signing out', () => {
  it('is not done while the server cannot be told, since its cookie stays good', async () => {
    const session = useSessionStore()
    await session.signIn('alice', 'correct-horse')
    server.current.state.overrides.set('POST auth/logout/', { status: 503, body: {} })

    await expect(session.signOut()).rejects.toMatchObject({ status: 503 })

    expect(session.isSignedIn).toBe(true)
  })

  it('is done when the session had ended before', async () => {
    const session = useSessionStore()
    await session.signIn('alice', 'correct-horse')
    const body = { error: { code: 'not_authenticated', message: 'Sign in first.' } }
    server.current.state.overrides.set('POST auth/logout/', { status: 401, body })
    server.current.state.hasRefreshCookie = false

    await session.signOut()

    expect([session.isSignedIn, session.isAsked]).toEqual([false, false])
  })
})
