import { beforeEach, describe, expect, it, vi } from 'vitest'

import { IDS } from '../../tests/fake-server/server.mjs'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import * as api from './client'
import { ApiError } from './errors'

const server = useFakeServer()

async function refusal(promise: Promise<unknown>): Promise<ApiError> {
  const error = await promise.then(
    () => null,
    (failure: unknown) => failure,
  )
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

describe('session', () => {
  it('signs in as a browser and sends the token with each request', async () => {
    await api.signIn('alice', 'correct-horse')
    await api.listShows()

    const [signIn, shows] = server.current.state.requests
    expect(signIn?.body).toMatchObject({ username: 'alice', client: 'browser' })
    expect(shows?.headers.authorization).toMatch(/^Bearer access-/)
  })

  it('tells a wrong password in the contract form', async () => {
    const error = await refusal(api.signIn('alice', 'wrong'))

    expect(error).toMatchObject({ status: 401, code: 'authentication_failed' })
    expect(api.hasAccess()).toBe(false)
  })

  it('renews an expired token once for many requests at the same time', async () => {
    await api.signIn('alice', 'correct-horse')
    server.current.state.tokens.clear()

    const lists = await Promise.all([api.listShows(), api.listOutputs(), api.getMe()])

    expect(lists[0].items).toHaveLength(3)
    const renewals = server.current.state.requests.filter((item) => item.path === 'auth/token/refresh/')
    expect(renewals).toHaveLength(1)
  })

  it('reports the end of the session when the cookie is no longer good', async () => {
    const ended = vi.fn()
    api.setSignedOutHandler(ended)
    await api.signIn('alice', 'correct-horse')
    server.current.state.tokens.clear()
    server.current.state.hasRefreshCookie = false

    const error = await refusal(api.listShows())

    expect(error.status).toBe(401)
    expect(ended).toHaveBeenCalledOnce()
  })
})

describe('a token that has expired', () => {
  const REFRESH = 'POST auth/token/refresh/'
  const ended = vi.fn()
  beforeEach(async () => {
    ended.mockClear()
    api.setSignedOutHandler(ended)
    await api.signIn('alice', 'correct-horse')
    server.current.state.tokens.clear()
  })
  const asked = (path: string) => server.current.state.requests.filter((item) => item.path === path)

  it('ends no session while it is renewed for another request', async () => {
    let answer = (_: unknown) => undefined as void
    server.current.state.overrides.set(REFRESH, new Promise<unknown>((resolve) => (answer = resolve)))
    const first = api.listVoices()
    await eventually(() => expect(asked('auth/token/refresh/')).toHaveLength(1))

    const second = api.listShows()
    answer(undefined)

    expect((await Promise.all([first, second])).map((list) => list.items.length)).toEqual([2, 3])
    expect(ended).not.toHaveBeenCalled()
  })

  it.each([
    ['alice', 'alice', 3],
    ['alice', 'bob', null],
  ])('of %s is renewed by the cookie of %s only where they are one', async (before, after, shows) => {
    const [old, next] = [before, after].map((user_id, number) => `h.${btoa(JSON.stringify({ user_id, number }))}.s`)
    server.current.state.overrides.set('POST auth/token/', { body: { access: old } })
    server.current.state.overrides.set(REFRESH, { body: { access: next } })
    server.current.state.tokens.add(next)
    await api.signIn('alice', 'correct-horse')

    const found = await api.listShows().then((list) => list.items.length, (error: ApiError) => error.status)

    expect(found).toBe(shows ?? 401)
    expect(ended).toHaveBeenCalledTimes(shows === null ? 1 : 0)
  })

  it.each([503, 429])('is renewed later when the server answers %i now', async (status) => {
    server.current.state.overrides.set(REFRESH, { status, body: {} })
    expect(await refusal(api.listShows())).toMatchObject({ status })

    server.current.state.overrides.delete(REFRESH)

    expect((await api.listShows()).items).toHaveLength(3)
    expect(ended).not.toHaveBeenCalled()
  })
})

describe('requests', () => {
  beforeEach(() => api.signIn('alice', 'correct-horse'))

  it('names the organization', async () => {
    api.setOrganization(IDS.organization)

    await api.listShows()

    expect(server.current.state.requests.at(-1)?.headers['x-organization']).toBe(IDS.organization)
  })

  it('follows the pages of a list', async () => {
    const second = `${server.current.origin}/api/v1/shows/?cursor=0`
    const first = { next: second, previous: null, results: [{ id: '1' }] }
    server.current.state.overrides.set('GET shows/', { body: first })
    const promise = api.listShows(2)
    await eventually(() => expect(server.current.state.requests.at(-1)?.path).toBe('shows/'))
    server.current.state.overrides.delete('GET shows/')

    expect((await promise).items.length).toBeGreaterThan(1)
  })

  it('keeps details and the wait that a refusal names', async () => {
    const details = [{ field: 'text', code: 'max_length', message: 'Too long.' }]
    const body = { error: { code: 'invalid', message: 'Not valid.', details } }
    server.current.state.overrides.set('GET shows/', { status: 400, headers: { 'Retry-After': '7' }, body })

    const error = await refusal(api.listShows())

    expect(error).toMatchObject({ code: 'invalid', details, retryAfterSeconds: 7 })
  })

  it('gives a code even when a proxy answers with HTML', async () => {
    server.current.state.overrides.set('GET shows/', { status: 502, body: '<h1>Bad gateway</h1>' })

    expect(await refusal(api.listShows())).toMatchObject({ code: 'unexpected_answer', status: 502 })
  })

  it('sends the key of an intent so that a repeat does nothing twice', async () => {
    await api.postCommand(IDS.broadcast, 'pause', {}, 'key-1')

    expect(server.current.state.commands).toEqual([{ via: 'http', id: 'key-1', name: 'pause', args: {} }])
  })

  it('posts a WHEP offer as SDP and resolves where the viewer lives', async () => {
    const answer = await api.postWhepOffer(IDS.broadcast, 'v=0 offer')

    const request = server.current.state.requests.at(-1)
    expect(request?.headers['content-type']).toBe('application/sdp')
    expect(request?.body).toBe('v=0 offer')
    const viewer = `${server.current.origin}/api/v1/broadcasts/${IDS.broadcast}/whep/viewer-1/`
    expect(answer).toEqual({ sdp: 'v=0\r\n', location: viewer })
  })
})

it('says network when an answer never comes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  server.current.state.overrides.set('GET shows/', new Promise(() => undefined))
  const refused = refusal(api.listShows())
  await eventually(() => expect(server.current.state.requests).toHaveLength(1))

  vi.advanceTimersByTime(65_000)
  vi.useRealTimers()

  expect(await refused).toMatchObject({ code: 'network', status: 0 })
})

it('says network when nothing answers', async () => {
  await server.current.close()

  expect(await refusal(api.listShows())).toMatchObject({ code: 'network', status: 0 })
})

describe('thumbnails', () => {
  it('are no error in the console of the browser while there is none yet', async () => {
    await api.signIn('alice', 'correct-horse')

    const picture = await api.getThumbnail(`/api/v1/broadcasts/${IDS.broadcast}/thumbnail/?signature=s`)

    expect(picture.size).toBe(0)
  })
})
