import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { signIn } from '@/api/client'
import type { ApiError } from '@/api/errors'

import { IDS } from '../../tests/fake-server/server.mjs'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import { Backoff } from './backoff'
import { ConsoleSocket, type LinkState } from './consoleSocket'
import type { ConsoleMessage } from './messages'

const server = useFakeServer()
let socket: ConsoleSocket
let messages: ConsoleMessage[]
let links: LinkState[]
let lastSequence: number
let gaps: number

function open(backoff = new Backoff({ firstMs: 20, maximumMs: 40, jitter: 0 })): Promise<void> {
  socket = new ConsoleSocket(
    IDS.broadcast,
    {
      onMessage: (message) => messages.push(message),
      onLink: (state) => links.push(state),
      lastSequence: () => lastSequence,
      onGap: () => (gaps += 1),
    },
    backoff,
  )
  return socket.connect()
}

const replays = () => server.current.state.messages.filter((item) => item.type === 'replay')

beforeEach(async () => {
  messages = []
  links = []
  lastSequence = 0
  gaps = 0
  await signIn('alice', 'correct-horse')
})
afterEach(() => {
  vi.useRealTimers()
  socket.close()
})

describe('ConsoleSocket', () => {
  it('opens with a ticket and receives the welcome', async () => {
    await open()

    await eventually(() => expect(messages[0]?.type).toBe('welcome'))
    expect(links).toEqual(['connecting', 'open'])
    const ticket = server.current.state.requests.find((item) => item.path === 'ws-tickets/')
    expect(ticket?.body).toEqual({ purpose: 'console', broadcast: IDS.broadcast })
  })

  it('asks for the events after the last one it holds', async () => {
    lastSequence = 5

    await open()

    await eventually(() => expect(replays()).toMatchObject([{ type: 'replay', after_sequence: 5 }]))
    const sequences = () => messages.flatMap((item) => (item.type === 'event' ? [item.sequence] : []))
    await eventually(() => expect(sequences()).toEqual([6, 7]))
  })

  it('resolves a command with the data of its result', async () => {
    await open()
    await eventually(() => expect(socket.isOpen).toBe(true))

    const data = await socket.send('c-1', 'say', { text: 'Hello', interrupt: false })

    expect(data).toMatchObject({ utterance: { state: 'queued' } })
    const sent = { via: 'websocket', id: 'c-1', name: 'say', args: { text: 'Hello', interrupt: false } }
    expect(server.current.state.commands).toEqual([sent])
  })

  it('rejects a refused command with the error of the server', async () => {
    const error = { code: 'not_live', message: 'This broadcast is not on air.' }
    server.current.state.overrides.set('command:skip', { ok: false, error })
    await open()
    await eventually(() => expect(socket.isOpen).toBe(true))

    await expect(socket.send('c-2', 'skip', {})).rejects.toMatchObject(error)
  })

  it('reconnects with a new ticket and replays', async () => {
    await open()
    await eventually(() => expect(replays()).toHaveLength(1))
    lastSequence = 7

    server.current.dropConsoles()

    await eventually(() => expect(replays()).toHaveLength(2))
    expect(replays()[1]).toMatchObject({ type: 'replay', after_sequence: 7 })
    expect(links).toEqual(['connecting', 'open', 'waiting', 'connecting', 'open'])
    const tickets = server.current.state.requests.filter((item) => item.path === 'ws-tickets/')
    expect(tickets).toHaveLength(2)
  })

  it('fails a command that is in flight when the link is lost', async () => {
    server.current.state.overrides.set('command:pause', 'silent')
    await open()
    await eventually(() => expect(socket.isOpen).toBe(true))

    const command = socket.send('c-3', 'pause', {})
    await eventually(() => expect(server.current.state.commands).toHaveLength(1))
    server.current.dropConsoles()

    await expect(command).rejects.toMatchObject({ code: 'link_lost' })
  })

  it('tells of a gap that is longer than a replay', async () => {
    server.current.state.replayMaxEvents = 3
    lastSequence = 1

    await open()

    await eventually(() => expect(gaps).toBe(1))
    expect(messages.filter((item) => item.type === 'event')).toHaveLength(3)
  })

  it('takes no answer for the end of the link: a network that is gone closes nothing', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    server.current.state.overrides.set('command:pause', 'silent')
    await open()
    await eventually(() => expect(replays()).toHaveLength(1))
    await eventually(() => expect(messages.filter((item) => item.type === 'event')).toHaveLength(7))

    const command = socket.send('c-4', 'pause', {})
    const refused = expect(command).rejects.toMatchObject({ code: 'no_answer' })
    vi.advanceTimersByTime(8_000)

    await refused
    expect(links.at(-1)).toBe('waiting')
    expect(socket.isOpen).toBe(false)
  })

  it('asks whether anybody is there when nothing is told any more', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    await open()
    await eventually(() => expect(messages.filter((item) => item.type === 'event')).toHaveLength(7))
    server.current.state.overrides.set('replay', 'silent')

    vi.advanceTimersByTime(10_000)
    await eventually(() => expect(replays()).toHaveLength(2))
    expect(links).not.toContain('waiting')
    vi.advanceTimersByTime(8_000)

    expect(links).toContain('waiting')
  })

  it('does not hurry back to a server that lets it in and closes at once', async () => {
    const backoff = new Backoff({ firstMs: 20, maximumMs: 40, jitter: 0 })
    const reset = vi.spyOn(backoff, 'reset')
    await open(backoff)
    await eventually(() => expect(links.at(-1)).toBe('open'))

    server.current.dropConsoles()

    await eventually(() => expect(links.filter((item) => item === 'open')).toHaveLength(2))
    expect(reset).not.toHaveBeenCalled()
  })

  it.each([4403, 4404])('does not come back after close code %i', async (code) => {
    await open()
    await eventually(() => expect(socket.isOpen).toBe(true))

    server.current.dropConsoles(code)

    await eventually(() => expect(links.at(-1)).toBe('refused'))
  })

  it('is refused when the broadcast belongs to somebody else', async () => {
    const body = { error: { code: 'not_found', message: 'There is no such object.' } }
    server.current.state.overrides.set('POST ws-tickets/', { status: 404, body })
    const refused = vi.fn<(state: LinkState, error: ApiError | null) => void>()
    socket = new ConsoleSocket(IDS.broadcast, { onMessage: vi.fn(), onLink: refused, lastSequence: () => 0, onGap: vi.fn() })

    await socket.connect()

    expect(refused).toHaveBeenLastCalledWith('refused', expect.objectContaining({ code: 'not_found' }))
  })

  it('keeps trying while the server is busy', async () => {
    server.current.state.overrides.set('POST ws-tickets/', { status: 503, body: {} })
    await open()
    expect(links).toEqual(['connecting', 'waiting'])

    server.current.state.overrides.clear()

    await eventually(() => expect(links.at(-1)).toBe('open'))
  })
})
