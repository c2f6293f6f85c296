import { beforeEach, describe, expect, it } from 'vitest'

import { signIn } from '@/api/client'
import type { Organization } from '@/api/schema'

import { IDS } from '../../tests/fake-server/server.mjs'
import { mountApp } from '../../tests/mount'
import { membership } from '../../tests/roles'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import { useDirectoryStore } from '@/stores/directory'
import { useSessionStore } from '@/stores/session'

import StudioView from './StudioView.vue'

const server = useFakeServer()
beforeEach(() => signIn('alice', 'correct-horse'))

async function mountStudio(role: Organization['role'] = 'owner') {
  const mounted = mountApp(StudioView)
  const session = useSessionStore()
  session.organizations = [membership(role)]
  session.chooseOrganization(IDS.organization)
  await eventually(() => expect(mounted.wrapper.findAll('[data-testid=show-card]')).toHaveLength(3))
  return mounted
}

describe('StudioView', () => {
  it('lists what is on air with its title and the way to its console', async () => {
    const { wrapper } = await mountStudio()

    const card = wrapper.get('[data-testid=broadcast-card]')
    expect(card.text()).toContain('秋季新品专场')
    expect(card.get('[data-testid=tally]').attributes('data-state')).toBe('live')
    expect(card.get('[data-testid=open-console]').attributes('href')).toBe(`/console/${IDS.broadcast}/`)
  })

  it('starts a show and goes to its console', async () => {
    const { wrapper, router } = await mountStudio()

    await wrapper.get(`[data-id="${IDS.secondShow}"] [data-testid=start-show]`).trigger('click')

    await eventually(() => expect(router.currentRoute.value.name).toBe('console'))
    const start = server.current.state.requests.find((item) => item.path.endsWith('/start/'))
    expect(start?.path).toBe(`shows/${IDS.secondShow}/start/`)
    expect(start?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/)
  })

  it('offers viewers no button that they may not press', async () => {
    const { wrapper } = await mountStudio('viewer')

    const buttons = wrapper.findAll('main button, main input').map((item) => item.text())
    expect(buttons).toEqual([])
    expect(wrapper.find('[data-testid=to-admin]').exists()).toBe(false)
  })

  it('has no way to the admin in an empty organization for those who cannot plan', async () => {
    Object.assign(server.current.state.world, { shows: [] })
    const { wrapper } = mountApp(StudioView)
    const session = useSessionStore()
    session.organizations = [membership('viewer')]
    session.chooseOrganization(IDS.organization)

    await eventually(() => expect(wrapper.text()).toContain('No shows yet'))
    expect(wrapper.find('a[href="/admin/"]').exists()).toBe(false)
  })

  it('cannot start a show that runs', async () => {
    const { wrapper } = await mountStudio()

    expect(wrapper.find(`[data-id="${IDS.show}"] [data-testid=start-show]`).exists()).toBe(false)
  })

  it('says at the show why it could not start', async () => {
    const details = [{ field: 'cues', code: 'required', message: 'Add a cue first.' }]
    const body = { error: { code: 'show_not_ready', message: 'Not ready.', details } }
    server.current.state.overrides.set(`POST shows/${IDS.emptyShow}/start/`, { status: 400, body })
    const { wrapper, router } = await mountStudio()

    await wrapper.get(`[data-id="${IDS.emptyShow}"] [data-testid=start-show]`).trigger('click')

    await eventually(() => expect(wrapper.get('[role=alert]').text()).toBe('Add a cue first.'))
    expect(router.currentRoute.value.name).not.toBe('console')
  })

  it('tells what airs next, what was missed, and since when a show is on air', async () => {
    const { wrapper } = await mountStudio()

    const [running, planned] = [IDS.show, IDS.secondShow].map((id) => wrapper.get(`[data-id="${id}"]`))
    await eventually(() => expect(planned?.find('[data-testid=next-airing]').exists()).toBe(true))
    expect(planned?.get('[data-testid=next-airing]').text()).toContain('20:00')
    expect(planned?.get('[data-testid=missed-airing]').text()).toContain('was not running')
    expect(running?.find('[data-testid=next-airing]').exists()).toBe(false)
    expect(running?.get('[data-testid=on-air-since]').text()).toMatch(/^On air since .*\d\d:\d\d$/)
  })

  it('asks anew what airs next when an airing has ended', async () => {
    const { wrapper } = await mountStudio()
    const planned = wrapper.get(`[data-id="${IDS.secondShow}"]`)
    await eventually(() => expect(planned.find('[data-testid=next-airing]').exists()).toBe(true))
    Object.assign(server.current.state.world, { airings: [] })

    server.current.state.world.broadcast.state = 'ended'
    await useDirectoryStore().load()

    await eventually(() => expect(planned.find('[data-testid=next-airing]').exists()).toBe(false))
  })

  it('marks a show that sells, and says whose consent does not allow it', async () => {
    const { wrapper } = await mountStudio()
    const session = useSessionStore()
    const path = `shows/${IDS.secondShow}/`
    const message = 'The consent of 陈美 for “Chen” is not for commercial use.'
    const details = [{ field: 'avatar', code: 'consent_not_commercial', message }]
    const refusal = { error: { code: 'show_not_ready', message: 'Not ready.', details } }
    server.current.state.overrides.set(`POST ${path}start/`, { status: 400, body: refusal })
    session.organizations = [membership('producer')]
    session.chooseOrganization(IDS.organization)
    await wrapper.vm.$nextTick()
    const card = wrapper.get(`[data-id="${IDS.secondShow}"]`)

    await card.get('[data-testid=sells]').setValue(true)
    await eventually(() => expect(card.get<HTMLInputElement>('[data-testid=sells]').element.checked).toBe(true))
    await card.get('[data-testid=start-show]').trigger('click')

    await eventually(() => expect(card.get('[role=alert]').text()).toBe(message))
    const sent = server.current.state.requests.find((item) => item.method === 'PATCH')
    expect([sent?.path, sent?.body]).toEqual([path, { is_commercial: true }])
  })

  it('leaves the mark as it is when the change is refused, and only shows it to operators', async () => {
    const { wrapper } = await mountStudio()
    const session = useSessionStore()
    const body = { error: { code: 'forbidden', message: 'Your role does not allow this.', details: [] } }
    server.current.state.overrides.set(`PATCH shows/${IDS.secondShow}/`, { status: 403, body })
    session.organizations = [membership('producer')]
    session.chooseOrganization(IDS.organization)
    await wrapper.vm.$nextTick()
    const card = wrapper.get(`[data-id="${IDS.secondShow}"]`)

    await card.get('[data-testid=sells]').setValue(true)
    await eventually(() => expect(card.find('[role=alert]').exists()).toBe(true))
    expect(card.get<HTMLInputElement>('[data-testid=sells]').element.checked).toBe(false)

    session.organizations = [membership('operator')]
    await wrapper.vm.$nextTick()
    expect(card.find('[data-testid=sells]').exists()).toBe(false)
  })

  it('lets no slow answer for one organization overwrite that for the next', async () => {
    const { wrapper } = await mountStudio()
    const session = useSessionStore()
    let answer = (_: unknown) => undefined as void
    const { overrides, world } = server.current.state
    session.chooseOrganization('galaxy')
    await useDirectoryStore().load()
    const late = { body: { next: null, previous: null, results: world.shows } }
    overrides.set('GET shows/', new Promise<unknown>((resolve) => (answer = resolve)))
    const first = useDirectoryStore().load()
    await eventually(() => expect(server.current.state.requests.at(-1)?.path).toBe('broadcasts/'))
    overrides.delete('GET shows/')
    Object.assign(world, { shows: world.shows.slice(0, 1) })

    session.chooseOrganization('comet')
    const second = useDirectoryStore().load()
    expect(useDirectoryStore().shows).toHaveLength(0)
    await second
    answer(late)
    await first

    expect(wrapper.findAll('[data-testid=show-card]')).toHaveLength(1)
  })

  it('does not ask again while an answer is on its way', async () => {
    await mountStudio()
    const directory = useDirectoryStore()
    const asked = () => server.current.state.requests.filter((item) => item.path === 'shows/')
    let answer = (_: unknown) => undefined as void
    server.current.state.overrides.set('GET shows/', new Promise<unknown>((resolve) => (answer = resolve)))
    const before = asked().length

    const all = [directory.refresh(), directory.refresh(), directory.refresh()]
    server.current.state.overrides.delete('GET shows/')
    await eventually(() => expect(asked()).toHaveLength(before + 1))
    answer(undefined)
    await Promise.all(all)

    expect(asked()).toHaveLength(before + 1)
  })

  it('stays signed in, and says so, when the server could not be told', async () => {
    const { wrapper, router } = await mountStudio()
    await useSessionStore().signIn('alice', 'correct-horse')
    server.current.state.overrides.set('POST auth/logout/', { status: 503, body: {} })

    await wrapper.get('[data-testid=sign-out]').trigger('click')

    await eventually(() => expect(wrapper.get('[data-testid=sign-out-error]').text()).toContain('still signed in'))
    expect(router.currentRoute.value.name).not.toBe('sign-in')
  })

  it('shows the rest of a long list when it is asked to, and goes on doing so', async () => {
    const { world } = server.current.state
    const [first] = world.shows
    Object.assign(world, { shows: Array.from({ length: 130 }, (_, index) => ({ ...first, id: `s${index}` })) })
    const { wrapper } = mountApp(StudioView)
    const cards = () => wrapper.findAll('[data-testid=show-card]')
    await eventually(() => expect(cards()).toHaveLength(100))

    await wrapper.get('[data-testid=more]').trigger('click')
    await eventually(() => expect(cards()).toHaveLength(130))
    await useDirectoryStore().refresh()

    expect(cards()).toHaveLength(130)
    expect(wrapper.find('[data-testid=more]').exists()).toBe(false)
  })

  it('begins the list of another organization at its beginning', async () => {
    const { world } = server.current.state
    const [first] = world.shows
    Object.assign(world, { shows: Array.from({ length: 130 }, (_, index) => ({ ...first, id: `s${index}` })) })
    const directory = useDirectoryStore(mountApp(StudioView).pinia)
    useSessionStore().chooseOrganization('galaxy')
    await directory.load()
    await directory.more(directory.showPages)

    useSessionStore().chooseOrganization('comet')
    await directory.load()

    expect(directory.shows).toHaveLength(100)
    expect(directory.showPages.hasMore).toBe(true)
  })

  it('has words for an empty organization', async () => {
    Object.assign(server.current.state.world, { shows: [] })
    server.current.state.world.broadcast.state = 'ended'
    const { wrapper } = mountApp(StudioView)

    await eventually(() => expect(wrapper.text()).toContain('No shows yet'))
    expect(wrapper.text()).toContain('Nothing on air')
  })

  it('offers the calendar address to those who plan shows', async () => {
    const { wrapper } = await mountStudio()
    const session = useSessionStore()
    session.organizations = [membership('operator')]
    session.chooseOrganization(IDS.organization)
    await wrapper.vm.$nextTick()
    expect(wrapper.find('[data-testid=calendar]').exists()).toBe(false)

    session.organizations = [membership('producer')]
    await wrapper.vm.$nextTick()
    await wrapper.get('[data-testid=calendar]').trigger('click')

    expect(wrapper.find('[data-testid=calendar-renew]').exists()).toBe(true)
  })
})
