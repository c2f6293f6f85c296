import { beforeEach, describe, expect, it } from 'vitest'

import type { Organization } from '@/api/schema'
import { signIn } from '@/api/client'
import { useSessionStore } from '@/stores/session'

import { PRESENTERS } from '../../tests/fake-server/presenters.mjs'
import { IDS } from '../../tests/fake-server/server.mjs'
import { mountApp } from '../../tests/mount'
import { membership } from '../../tests/roles'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import PresenterView from './PresenterView.vue'

const server = useFakeServer()
beforeEach(() => signIn('alice', 'correct-horse'))

async function mountPresenter(id = PRESENTERS.filmed, role: Organization['role'] = 'owner') {
  const mounted = mountApp(PresenterView, { props: { id } })
  const session = useSessionStore()
  session.organizations = [membership(role)]
  session.chooseOrganization(IDS.organization)
  await eventually(() => expect(mounted.wrapper.find('.loading').exists()).toBe(false))
  return mounted.wrapper
}

type Page = Awaited<ReturnType<typeof mountPresenter>>
const versionOf = (page: Page, number: number) => page.get(`[data-testid=build][data-number="${number}"]`)

describe('PresenterView', () => {
  it('lists versions with log and film, newest first', async () => {
    const page = await mountPresenter()

    expect(page.findAll('[data-testid=build]').map((item) => item.attributes('data-number'))).toEqual(['3', '2', '1'])
    expect(versionOf(page, 3).get('[data-testid=build-log]').text()).toContain('Reading pictures')
    expect(versionOf(page, 3).find('video').exists()).toBe(false)
    expect(versionOf(page, 2).get('video').attributes('src')).toBe('/preview.mp4')
    expect(versionOf(page, 2).text()).toContain('1280×720 px, 10 s')
  })

  it.each([
    [true, 'None: it can be built, not aired'],
    [false, 'None, and this engine asks for none'],
  ])('says what no consent means where one is needed: %s', async (needed, words) => {
    const [, filmed] = server.current.state.world.presenters
    Object.assign(filmed ?? {}, { needs_consent: needed })
    const page = await mountPresenter()

    expect(page.get('[data-testid=consent]').text()).toBe(words)
  })

  it('goes back to an earlier version', async () => {
    const page = await mountPresenter()
    expect(versionOf(page, 2).find('[data-testid=in-use]').exists()).toBe(true)

    await versionOf(page, 1).get('[data-testid=use-build]').trigger('click')

    await eventually(() => expect(versionOf(page, 1).find('[data-testid=in-use]').exists()).toBe(true))
    expect(versionOf(page, 2).find('[data-testid=in-use]').exists()).toBe(false)
  })

  it('cancels the build that runs', async () => {
    const page = await mountPresenter()

    await versionOf(page, 3).get('[data-testid=cancel-build]').trigger('click')

    await eventually(() => expect(versionOf(page, 3).text()).toContain('Cancelled'))
    expect(page.find('progress').exists()).toBe(false)
  })

  it('builds a failed version again, and offers that for no other', async () => {
    const page = await mountPresenter(PRESENTERS.photo)
    expect(versionOf(page, 4).text()).toContain('The face is too dark')

    await versionOf(page, 4).get('[data-testid=retry-build]').trigger('click')

    await eventually(() => expect(versionOf(page, 4).text()).toContain('Waiting'))
    expect(versionOf(page, 4).text()).not.toContain('The face is too dark')
    expect(page.find('[data-testid=retry-build]').exists()).toBe(false)
  })

  it('says at the version why it could not be used', async () => {
    const error = { code: 'build_not_possible', message: 'Only a version that was built can be used.', details: [] }
    const id = server.current.state.world.builds[PRESENTERS.filmed]?.[2]?.id
    server.current.state.overrides.set(`POST avatars/${PRESENTERS.filmed}/builds/${id}/use/`, { status: 409, body: { error } })
    const page = await mountPresenter()

    await versionOf(page, 1).get('[data-testid=use-build]').trigger('click')

    await eventually(() => expect(versionOf(page, 1).get('[role=alert]').text()).toContain('Only a version that was built'))
  })

  it('tells of each network its files, what they lack, and the licence', async () => {
    const page = await mountPresenter()

    await eventually(() => expect(page.find('[data-testid=weights] .network').exists()).toBe(true))
    const text = page.get('[data-testid=weights]').text()
    expect(text).toContain('musetalkV15/unet.pth · 3.2 GB · missing')
    expect(text).toContain('whisper/tiny.pt · 72 MB · not the expected file')
    expect(text).toContain('Licence: MIT')
  })

  it('uploads the next version', async () => {
    const page = await mountPresenter()
    const input = page.get('[data-testid=upload-file]')
    Object.defineProperty(input.element, 'files', { value: [new File(['film'], 'a.mp4')], configurable: true })
    await input.trigger('change')
    await page.get('[data-testid=upload-form]').trigger('submit')

    await eventually(() => expect(page.findAll('[data-testid=build]')).toHaveLength(4))
    expect(page.find('[data-testid=upload-name]').exists()).toBe(false)
  })

  it('offers nothing to change to operators', async () => {
    const page = await mountPresenter(PRESENTERS.filmed, 'operator')

    expect(page.findAll('[data-testid=build]')).toHaveLength(3)
    for (const name of ['use-build', 'cancel-build', 'upload-form']) expect(page.find(`[data-testid=${name}]`).exists()).toBe(false)
  })

  it('has no versions for one that is drawn', async () => {
    const page = await mountPresenter(PRESENTERS.drawn)

    expect(page.get('h1').text()).toBe('小林')
    expect(page.find('[data-testid=build]').exists()).toBe(false)
  })

  it('says when there is no such presenter', async () => {
    const page = await mountPresenter('a0a70000-0000-4000-8000-00000000dead')

    expect(page.get('[role=alert]').text()).toContain('Not found')
  })
})
