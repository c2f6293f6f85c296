import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { signIn } from '@/api/client'

import { installFakePeer } from '../../tests/fakePeer'
import { IDS } from '../../tests/fake-server/server.mjs'
import { useConsoleStore } from '@/stores/console'
import { useSessionStore } from '@/stores/session'
import { mountApp } from '../../tests/mount'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import ConsoleView from './ConsoleView.vue'

const server = useFakeServer()
beforeEach(async () => {
  installFakePeer()
  // jsdom has no media playback.
  HTMLMediaElement.prototype.play = () => Promise.resolve()
  await signIn('alice', 'correct-horse')
})
afterEach(() => vi.unstubAllGlobals())

async function openConsole() {
  const { wrapper } = mountApp(ConsoleView, { props: { id: IDS.broadcast } })
  await eventually(() => expect(wrapper.get('[data-testid=link]').attributes('data-state')).toBe('open'))
  await eventually(() => expect(wrapper.find('[data-testid=cue-1]').exists()).toBe(true))
  return wrapper
}

const commands = () => server.current.state.commands.map(({ name, args }) => [name, args])
const press = (key: string, init: KeyboardEventInit = {}) =>
  document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...init }))

describe('ConsoleView', () => {
  it('shows the broadcast: title, tally, cursor, outputs, transcript, events', async () => {
    const page = await openConsole()

    expect(page.get('h1').text()).toBe('秋季新品专场')
    expect(document.title).toBe('ON AIR 秋季新品专场 · LiveStudio')
    expect(page.get('[data-testid=tally]').text()).toContain('ON AIR')
    expect(page.get('[data-testid=cue-2]').attributes('data-status')).toBe('current')
    expect(page.findAll('[data-testid=output]')).toHaveLength(4)
    expect(page.findAll('[data-testid=utterance]')).toHaveLength(8)
    expect(page.get('[data-testid=events]').text()).toContain('First picture')
  })

  it('keeps a line that was dropped where it was, not below what is said now', async () => {
    Object.assign(server.current.state.world.utterances[1] ?? {}, { state: 'dropped', started_at: null })
    const page = await openConsole()
    await eventually(() => expect(page.findAll('[data-testid=utterance]')).toHaveLength(8))

    const states = page.findAll('[data-testid=utterance]').map((row) => row.attributes('data-state'))

    expect(states.indexOf('dropped')).toBe(1)
  })

  it.each([
    ['interrupt', ['interrupt', { resume_after_seconds: 5 }]],
    ['pause', ['pause', {}]],
    ['skip', ['skip', {}]],
    ['expression-laugh', ['expression', { name: 'laugh' }]],
    ['take-3', ['take', { cue: 'c0de0000-0000-4000-8000-000000000003' }]],
  ])('sends %s and tells that it was done', async (button, command) => {
    const page = await openConsole()

    await page.get(`[data-testid=${button}]`).trigger('click')

    const result = () => page.get('[data-testid=command-result]').attributes('data-state')
    await eventually(() => expect(result()).toBe('done'))
    expect(commands()).toEqual([command])
  })

  it('puts a said line into the transcript and clears the box', async () => {
    const page = await openConsole()
    const box = page.get<HTMLTextAreaElement>('[data-testid=say-text]')
    await box.setValue('欢迎新朋友')

    await box.trigger('keydown', { key: 'Enter' })

    await eventually(() => expect(page.get('[data-testid=transcript]').text()).toContain('欢迎新朋友'))
    await eventually(() => expect(box.element.value).toBe(''))
  })

  it('keeps a refused line and shows why', async () => {
    const details = [{ field: 'text', code: 'max_length', message: 'At most 2000 characters.' }]
    const error = { code: 'invalid', message: 'Not valid.', details }
    server.current.state.overrides.set('command:say', { ok: false, error })
    const page = await openConsole()
    const box = page.get<HTMLTextAreaElement>('[data-testid=say-text]')
    await box.setValue('too long')

    await box.trigger('keydown', { key: 'Enter' })

    const strip = page.get('[data-testid=command-result]')
    await eventually(() => expect(strip.text()).toBe('Say: At most 2000 characters.'))
    expect(page.get('[data-testid=say-error]').text()).toBe('At most 2000 characters.')
    expect(box.element.value).toBe('too long')
  })

  it('sends a verb by HTTP, once, while the link is down', async () => {
    const page = await openConsole()
    server.current.state.refusesSockets = true
    server.current.dropConsoles()
    await eventually(() => expect(page.get('[data-testid=link]').attributes('data-state')).not.toBe('open'))

    await page.get('[data-testid=interrupt]').trigger('click')

    await eventually(() => expect(server.current.state.commands).toHaveLength(1))
    expect(server.current.state.commands[0]).toMatchObject({ via: 'http', name: 'interrupt' })
  })

  it('is the same command by either way, so that a line is not said twice', async () => {
    server.current.state.overrides.set('command:say', 'silent')
    const page = await openConsole()
    const box = page.get('[data-testid=say-text]')
    await box.setValue('限时五分钟')
    await box.trigger('keydown', { key: 'Enter' })
    await eventually(() => expect(server.current.state.commands).toHaveLength(1))
    server.current.state.refusesSockets = true
    server.current.dropConsoles()
    await eventually(() => expect(page.find('[data-testid=say-error]').exists()).toBe(true))

    await box.trigger('keydown', { key: 'Enter' })

    await eventually(() => expect(server.current.state.commands).toHaveLength(2))
    const [first, second] = server.current.state.commands
    // The server puts this before the ids of consoles.
    expect(second).toMatchObject({ via: 'http', id: `console.${first?.id}` })
  })

  it('lets nothing newer hide that a command failed', async () => {
    const error = { code: 'command_failed', message: 'Not now.' }
    let refuse = (_: unknown) => undefined as void
    const path = `POST broadcasts/${IDS.broadcast}/outputs/0b5e0000-0000-4000-8000-000000000002/stop/`
    server.current.state.overrides.set(path, new Promise<unknown>((resolve) => (refuse = resolve)))
    const page = await openConsole()
    await page.findAll('[data-testid=outputs] .end')[1]?.trigger('click')
    await page.get('[data-testid=expression-laugh]').trigger('click')
    const strip = page.get('[data-testid=command-result]')
    await eventually(() => expect(strip.text()).toBe('Expression: done'))

    refuse({ status: 409, body: { error } })

    await eventually(() => expect(strip.text()).toBe('Stop output: Not now.'))
  })

  it('comes back by itself when its user has signed in again', async () => {
    const page = await openConsole()
    const link = () => page.get('[data-testid=link]').attributes('data-state')
    const body = { error: { code: 'not_authenticated', message: 'Sign in first.' } }
    server.current.state.overrides.set('POST ws-tickets/', { status: 401, body })
    server.current.state.hasRefreshCookie = false
    server.current.dropConsoles()
    await eventually(() => expect(link()).toBe('refused'))
    server.current.state.overrides.clear()

    await useSessionStore().signIn('alice', 'correct-horse')

    await eventually(() => expect(link()).toBe('open'))
  })

  it('shows the broadcast that its address names when Back leads from one to another', async () => {
    const asked = (id: string) => server.current.state.requests.some((item) => item.path === `broadcasts/${id}/`)
    const { wrapper: page } = mountApp(ConsoleView, { props: { id: 'b0000000-0000-4000-8000-000000000001' } })
    await eventually(() => expect(asked('b0000000-0000-4000-8000-000000000001')).toBe(true))

    await page.setProps({ id: IDS.broadcast })

    await eventually(() => expect(asked(IDS.broadcast)).toBe(true))
  })

  it('opens one link when it is left and opened again before the first answer', async () => {
    const path = `GET broadcasts/${IDS.broadcast}/`
    let answer = (_: unknown) => undefined as void
    server.current.state.overrides.set(path, new Promise<unknown>((resolve) => (answer = resolve)))
    const { wrapper: first } = mountApp(ConsoleView, { props: { id: IDS.broadcast } })
    const studio = useConsoleStore()
    void studio.open(IDS.broadcast)
    server.current.state.overrides.delete(path)

    answer(undefined)
    await eventually(() => expect(first.get('[data-testid=link]').attributes('data-state')).toBe('open'))
    await eventually(() => expect(first.findAll('[data-testid=utterance]')).toHaveLength(8))
    const tickets = server.current.state.requests.filter((item) => item.path === 'ws-tickets/')

    expect(tickets.filter((item) => item.body.purpose === 'console')).toHaveLength(1)
  })

  it('shows the state of now after a gap, not that of a replayed event', async () => {
    const page = await openConsole()
    const { world } = server.current.state
    const at = new Date().toISOString()
    world.events.push({ sequence: 8, kind: 'broadcast.state', at, data: { state: 'live', reason: '' } })
    world.events.push({ sequence: 9, kind: 'script.state', at, data: { script: 'held', reason: 'stood still' } })
    Object.assign(world.broadcast, { state: 'recovering' })
    server.current.dropConsoles()

    await eventually(() => expect(page.get('[data-testid=events]').text()).toContain('stood still'))

    expect(page.get('[data-testid=tally]').attributes('data-state')).toBe('recovering')
  })

  it('says no sentence for ever that its process took with it', async () => {
    const page = await openConsole()
    const speaking = () => page.findAll('[data-testid=utterance][data-state=speaking]')
    await eventually(() => expect(speaking()).toHaveLength(1))

    const at = new Date().toISOString()
    server.current.push({ type: 'event', sequence: 8, kind: 'runner.started', at, data: { pid: 7, lease_epoch: 2 } })

    await eventually(() => expect(speaking()).toHaveLength(0))
  })

  it('does not say that the link is refused because the show was deleted', async () => {
    const body = { error: { code: 'not_found', message: 'There is no such object.' } }
    server.current.state.overrides.set(`GET shows/${IDS.show}/`, { status: 404, body })
    const page = await openConsole()

    // Once for the page, and once more for the welcome.
    const asked = () => server.current.state.requests.filter((item) => item.path === `shows/${IDS.show}/`)
    await eventually(() => expect(asked()).toHaveLength(2))
    await new Promise((resolve) => setTimeout(resolve, 100))

    expect(page.find('[data-testid=link-error]').exists()).toBe(false)
    expect(page.get('h1').text()).toBe('秋季新品专场')
  })

  it('says that the presenter is not there yet, and that the rundown waits for it', async () => {
    const page = await openConsole()
    const chip = () => page.get('[data-testid=script-state]').attributes('data-state')

    server.current.push({ type: 'metrics', metrics: { fps: 25, presenter_loads: true } })
    await eventually(() => expect(chip()).toBe('waiting'))
    server.current.push({ type: 'metrics', metrics: { fps: 25, presenter_loads: false } })

    await eventually(() => expect(chip()).toBe('running'))
  })

  it('follows what the server tells', async () => {
    const page = await openConsole()

    server.current.push({ type: 'state', state: 'recovering', reason: 'worker died', script: 'held', record: false })
    server.current.push({ type: 'cursor', cue: 'c0de0000-0000-4000-8000-000000000003', sentence: 0, loop: 1 })
    server.current.push({ type: 'metrics', metrics: { fps: 12.5 } })
    const output = { id: '0b5e0000-0000-4000-8000-000000000002', state: 'failed', reason: 'Refused.' }
    server.current.push({ type: 'output', ...output })
    const event = { sequence: 8, kind: 'worker', at: '2026-11-20T10:00:00Z', data: { kind: 'face', state: 'died', reason: '' } }
    server.current.push({ type: 'event', ...event })

    await eventually(() => expect(page.get('[data-testid=events]').text()).toContain("The picture's process died"))
    expect(page.get('[data-testid=tally]').attributes('data-state')).toBe('recovering')
    expect(page.get('[data-testid=script-state]').text()).toBe('Held')
    expect(page.get('[data-testid=record]').attributes('aria-pressed')).toBe('false')
    expect(page.get('[data-testid=cue-3]').attributes('data-status')).toBe('current')
    expect(page.get('[data-testid=metric-fps] dd').text()).toBe('12.5fps')
    expect(page.findAll('[data-testid=output]')[1]?.text()).toContain('Refused.')
    expect(page.find('[data-testid=resume]').exists()).toBe(true)
  })

  it('follows its outputs in a browser that is five years old', async () => {
    const page = await openConsole()
    const newer = Object.getOwnPropertyDescriptor(Array.prototype, 'with')
    Reflect.deleteProperty(Array.prototype, 'with')

    server.current.push({ type: 'output', id: '0b5e0000-0000-4000-8000-000000000002', state: 'failed', reason: 'Refused.' })
    await eventually(() => expect(page.findAll('[data-testid=output]')[1]?.text()).toContain('Refused.'))

    if (newer) Object.defineProperty(Array.prototype, 'with', newer)
  })

  it('works by keyboard', async () => {
    const page = await openConsole()

    press('i')
    press('3')
    press('n')

    await eventually(() => expect(commands()).toHaveLength(3))
    expect(commands()).toEqual([
      ['interrupt', { resume_after_seconds: 5 }],
      ['expression', { name: 'laugh' }],
      ['skip', {}],
    ])
    press('/')
    expect(document.activeElement).toBe(page.get('[data-testid=say-text]').element)
  })

  it('does by key no more than its buttons offer', async () => {
    server.current.state.world.broadcast.script = 'finished'
    const page = await openConsole()
    expect(page.get('[data-testid=skip]').attributes('disabled')).toBeDefined()

    press('p')
    press('n')
    press('q')

    await eventually(() => expect(commands()).toEqual([['gesture', { name: 'wave' }]]))
  })

  it('performs gestures by key and by button', async () => {
    const page = await openConsole()

    press('t')
    await eventually(() => expect(commands()).toHaveLength(1))
    await page.get('[data-testid=gesture-wave]').trigger('click')

    await eventually(() =>
      expect(commands()).toEqual([
        ['gesture', { name: 'heart' }],
        ['gesture', { name: 'wave' }],
      ]),
    )
  })

  it('shows the sentence of the moment in large type, and remembers that', async () => {
    const page = await openConsole()

    press('c')
    await eventually(() => expect(page.get('[data-testid=captions]').text()).toContain('肩线往后收了一点'))
    expect(page.get('[data-testid=captions]').text()).toContain('Next')
    expect(localStorage.getItem('livestudio.caption-view')).toBe('on')

    await page.get('[data-testid=caption-view]').trigger('click')
    expect(page.find('[data-testid=captions]').exists()).toBe(false)
  })

  it('shows the card of a cue with its picture', async () => {
    const page = await openConsole()

    const card = page.get('[data-testid=cue-2] [data-testid=cue-card]')
    expect(card.text()).toBe('双面呢羊毛大衣¥799')
    await eventually(() => expect(card.find('img').attributes('src')).toBe('/favicon.svg'))
    expect(page.find('[data-testid=cue-3] [data-testid=cue-card]').exists()).toBe(false)
  })

  it('stops only after a question, and turns the controls off', async () => {
    const page = await openConsole()
    await page.get('[data-testid=stop]').trigger('click')
    expect(commands()).toEqual([])

    await page.get('[data-testid=stop-sentence-end]').trigger('click')

    await eventually(() => expect(page.find('[data-testid=over]').exists()).toBe(true))
    expect(commands()).toEqual([['stop', { when: 'sentence_end' }]])
    expect(page.get('[data-testid=interrupt]').attributes('disabled')).toBeDefined()
  })

  it('pastes today’s key for an output that waits', async () => {
    const page = await openConsole()
    await page.get('[data-testid=output-key]').setValue('live_2026')

    await page.get('[data-testid=outputs] form').trigger('submit')

    const request = () => server.current.state.requests.find((item) => item.path.endsWith('/replace-key/'))
    await eventually(() => expect(request()?.body).toEqual({ stream_key: 'live_2026' }))
  })

  it('lets a viewer look and not touch', async () => {
    server.current.state.world.permissions = ['broadcast.view']
    const page = await openConsole()

    await eventually(() => expect(page.text()).toContain('may watch this broadcast but not steer it'))
    expect(page.get('[data-testid=interrupt]').attributes('disabled')).toBeDefined()
    expect(page.find('[data-testid=take-1]').exists()).toBe(false)
    press('i')
    expect(commands()).toEqual([])
  })
})
