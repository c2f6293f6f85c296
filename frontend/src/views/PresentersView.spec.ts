import { beforeEach, describe, expect, it } from 'vitest'

import type { Organization } from '@/api/schema'
import { signIn } from '@/api/client'
import { i18n } from '@/i18n'
import { useSessionStore } from '@/stores/session'

import { PRESENTERS } from '../../tests/fake-server/presenters.mjs'
import { IDS } from '../../tests/fake-server/server.mjs'
import { mountApp } from '../../tests/mount'
import { membership } from '../../tests/roles'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import PresentersView from './PresentersView.vue'

const server = useFakeServer()
beforeEach(() => signIn('alice', 'correct-horse'))

async function mountPresenters(role: Organization['role'] = 'owner') {
  const mounted = mountApp(PresentersView)
  const session = useSessionStore()
  session.organizations = [membership(role)]
  session.chooseOrganization(IDS.organization)
  await eventually(() => expect(mounted.wrapper.find('.loading').exists()).toBe(false))
  return mounted.wrapper
}

type Page = Awaited<ReturnType<typeof mountPresenters>>

function give(page: Page, name: string, file: File): Promise<void> {
  const input = page.get(`[data-testid=${name}]`)
  Object.defineProperty(input.element, 'files', { value: [file], configurable: true })
  return input.trigger('change')
}

async function fillIn(page: Page): Promise<void> {
  await page.get('[data-testid=upload-name]').setValue('Mei')
  await give(page, 'upload-file', new File(['film'], 'mei.mp4'))
}

const posted = () => server.current.state.requests.filter((item) => item.method === 'POST' && item.path === 'avatars/')
const errorsOf = (page: Page) => page.findAll('[data-testid=upload-form] [data-testid=field-error]').map((item) => item.text())

const cardOf = (page: Page, id: string) => page.get(`[data-testid=presenter][data-id="${id}"]`)

describe('PresentersView', () => {
  it('tells engine, version, progress, missing files and licences', async () => {
    const page = await mountPresenters()

    await eventually(() => expect(page.find('[data-testid=presenter-missing]').exists()).toBe(true))
    const card = cardOf(page, PRESENTERS.filmed)
    expect(card.text()).toContain('MuseTalk, needs weights and a GPU')
    expect(card.text()).toContain('Version 2')
    expect(card.get('progress').attributes('value')).toBe('42')
    const missing = card.get('[data-testid=presenter-missing]').text()
    expect(missing).toContain('musetalkV15/unet.pth, whisper/tiny.pt')
    expect(missing).not.toContain('sd-vae')
    expect(card.text()).toContain('© 星河直播')
    expect(card.text()).toContain('CreativeML OpenRAIL-M')
  })

  it('tells load, time of a face and room of each GPU, or why it does not paint', async () => {
    const page = await mountPresenters()

    await eventually(() => expect(page.find('[data-testid=gpus]').exists()).toBe(true))
    const [ready, failed] = page.findAll('[data-testid=gpus] li').map((row) => row.text())
    expect(ready).toContain('NVIDIA H100')
    expect(ready).toContain('37 %')
    expect(ready).toContain('2.3 ms')
    expect(ready).toContain('9 of 14 broadcasts')
    expect(failed).toContain('TAESD decoder lacks weights')
    i18n.global.locale.value = 'zh-CN'
    await eventually(() => expect(page.get('[data-testid=gpus]').text()).toContain('还能开 9 场，共 14 场'))
    expect(page.get('[data-testid=gpus]').text()).toContain('TAESD decoder 缺少权重。')
    expect(page.get('[data-testid=gpus]').text()).toContain('解码器 kl')
  })

  it('has no panel of GPUs where broadcasts have networks of their own', async () => {
    server.current.state.world.modelServers = []
    const page = await mountPresenters()

    await eventually(() => expect(server.current.state.requests.map((item) => item.path)).toContain('model-servers/'))
    expect(page.find('[data-testid=gpus]').exists()).toBe(false)
  })

  it('says why a build failed, in the language of the page', async () => {
    const page = await mountPresenters()
    i18n.global.locale.value = 'zh-CN'

    const reason = () => cardOf(page, PRESENTERS.photo).get('[data-testid=presenter-reason]').text()
    await eventually(() => expect(reason()).toBe('面部太暗，请在正前方打光。'))
  })

  it('asks for weights only where a presenter is built of uploads', async () => {
    const page = await mountPresenters()
    await eventually(() => expect(page.find('[data-testid=presenter-missing]').exists()).toBe(true))

    const asked = server.current.state.requests.map((item) => item.path)
    expect(asked).toContain(`avatars/${PRESENTERS.filmed}/weights/`)
    expect(asked).not.toContain(`avatars/${PRESENTERS.drawn}/weights/`)
  })

  it('shows the rest of many presenters when it is asked to', async () => {
    const { presenters } = server.current.state.world
    const [drawn] = presenters
    if (drawn) presenters.unshift(...Array.from({ length: 99 }, (_, index) => ({ ...drawn, id: `p${index}` })))
    const page = await mountPresenters()
    expect(page.findAll('[data-testid=presenter]')).toHaveLength(100)

    await page.get('[data-testid=more]').trigger('click')

    await eventually(() => expect(page.findAll('[data-testid=presenter]')).toHaveLength(102))
    await eventually(() => expect(page.find('[data-testid=presenter-missing]').exists()).toBe(true))
  })

  it('follows a build until it is over', async () => {
    const page = await mountPresenters()
    const [running] = server.current.state.world.builds[PRESENTERS.filmed] ?? []
    Object.assign(running ?? {}, { state: 'ready', progress: 100 })

    await eventually(() => expect(page.find('progress').exists()).toBe(false))
  })

  it('says so where there are none, and offers to try again after a failure', async () => {
    server.current.state.overrides.set('GET avatars/', { status: 500, body: { error: { code: 'internal_error', message: 'x', details: [] } } })
    const page = await mountPresenters()
    expect(page.get('[role=alert]').text()).toContain('The server failed')

    server.current.state.overrides.delete('GET avatars/')
    server.current.state.world.presenters = []
    await page.get('[role=alert] button').trigger('click')

    await eventually(() => expect(page.text()).toContain('No presenters yet'))
    expect(page.find('[role=alert]').exists()).toBe(false)
  })

  it('uploads a photo with the consent that counts, and shows the presenter', async () => {
    const page = await mountPresenters()
    await eventually(() => expect(page.findAll('[data-testid=upload-consent] option')).toHaveLength(2))
    await page.get('[data-testid=upload-consent]').setValue(page.findAll('[data-testid=upload-consent] option')[1]?.attributes('value'))
    await fillIn(page)
    await page.get('[data-testid=upload-form]').trigger('submit')

    await eventually(() => expect(page.findAll('[data-testid=presenter]')).toHaveLength(4))
    const sent = server.current.state.requests.find((item) => item.method === 'POST' && item.path === 'avatars/')
    expect(sent?.headers['content-type']).toContain('multipart/form-data')
    expect(sent?.headers['x-organization']).toBe(IDS.organization)
    for (const part of ['name="name"', 'Mei', 'name="engine"', 'portrait', 'name="consent"', 'name="file"', 'film']) {
      expect(sent?.body).toContain(part)
    }
    expect(sent?.body).not.toContain('name="landmarks"')
  })

  it('sends the marks of a photo as its face points', async () => {
    Object.assign(URL, { createObjectURL: () => 'blob:photo', revokeObjectURL: () => undefined })
    const page = await mountPresenters()
    await page.get('[data-testid=upload-name]').setValue('Mei')
    await give(page, 'upload-file', new File(['photo'], 'mei.jpg', { type: 'image/jpeg' }))
    const image = page.get('[data-testid=marks] img')
    Object.defineProperties(image.element, { naturalWidth: { value: 640 }, naturalHeight: { value: 480 } })
    await image.trigger('load')
    await page.get('[data-mark=chin]').trigger('keydown', { key: 'ArrowDown' })
    await page.get('[data-testid=upload-form]').trigger('submit')

    await eventually(() => expect(page.findAll('[data-testid=presenter]')).toHaveLength(4))
    const sent = server.current.state.requests.find((item) => item.method === 'POST' && item.path === 'avatars/')
    expect(sent?.body).toContain('name="landmarks"; filename="marks.json"')
    expect(sent?.body).toContain('"width_px":640')
    await eventually(() => expect(page.find('[data-testid=marks]').exists()).toBe(false))
  })

  it('cancels an upload and keeps what was filled in', async () => {
    server.current.state.overrides.set('POST avatars/', new Promise(() => undefined))
    const page = await mountPresenters()
    await fillIn(page)
    await page.get('[data-testid=upload-form]').trigger('submit')
    await eventually(() => expect(page.find('[data-testid=cancel-upload]').exists()).toBe(true))

    await page.get('[data-testid=cancel-upload]').trigger('click')

    await eventually(() => expect(page.get('[data-testid=upload-form] [role=alert]').text()).toContain('was cancelled'))
    expect((page.get('[data-testid=upload-name]').element as HTMLInputElement).value).toBe('Mei')
  })

  it('refuses a file that is too large before it is sent', async () => {
    const page = await mountPresenters()
    await page.get('[data-testid=upload-name]').setValue('Mei')
    const file = new File(['film'], 'mei.mp4')
    Object.defineProperty(file, 'size', { value: 301 * 2 ** 20 })
    await give(page, 'upload-file', file)

    expect(page.get('[data-testid=upload-form] [role=alert]').text()).toContain('larger than 300 MB')
    await page.get('[data-testid=upload-form]').trigger('submit')
    expect(posted()).toEqual([])
  })

  it('says beside each field what is missing, in the language of the page', async () => {
    const page = await mountPresenters()
    i18n.global.locale.value = 'zh-CN'
    await page.get('[data-testid=upload-form]').trigger('submit')

    expect(errorsOf(page)).toEqual(['请填写此项。', '请填写此项。'])
    expect(document.activeElement).toBe(page.get('[data-testid=upload-name]').element)
    expect(posted()).toEqual([])
  })

  it('keeps a name that is too long as it was typed', async () => {
    const page = await mountPresenters()
    await fillIn(page)
    await page.get('[data-testid=upload-name]').setValue('美'.repeat(101))
    await page.get('[data-testid=upload-form]').trigger('submit')

    expect(errorsOf(page)).toEqual(['At most 100 characters; this has 101.'])
    expect(page.get<HTMLInputElement>('[data-testid=upload-name]').element.value).toHaveLength(101)
    expect(posted()).toEqual([])
  })

  it.each([
    [new File(['%PDF'], 'cv.pdf', { type: 'application/pdf' }), 'Choose a film'],
    [new File([], 'mei.mp4', { type: 'video/mp4' }), 'This file is empty.'],
  ])('refuses what is no picture or film before it is sent', async (file, reason) => {
    const page = await mountPresenters()
    await page.get('[data-testid=upload-name]').setValue('Mei')
    await give(page, 'upload-file', file)

    expect(errorsOf(page).join()).toContain(reason)
    await page.get('[data-testid=upload-form]').trigger('submit')
    expect(posted()).toEqual([])
  })

  it('sends a double click once', async () => {
    server.current.state.overrides.set('POST avatars/', new Promise(() => undefined))
    const page = await mountPresenters()
    await fillIn(page)
    await Promise.all([1, 2].map(() => page.get('[data-testid=upload-form]').trigger('submit')))

    await eventually(() => expect(posted()).toHaveLength(1))
    expect(page.find('[data-testid=upload]').exists()).toBe(false)
  })

  it('shows the reason of a refused upload', async () => {
    const details = [{ field: 'name', code: 'unique', message: 'Another avatar of your organization has this name.' }]
    server.current.state.overrides.set('POST avatars/', { status: 400, body: { error: { code: 'invalid', message: 'x', details } } })
    const page = await mountPresenters()
    await fillIn(page)
    await page.get('[data-testid=upload-form]').trigger('submit')

    await eventually(() => expect(errorsOf(page).join()).toContain('has this name'))
    expect(document.activeElement).toBe(page.get('[data-testid=upload-name]').element)
  })

  it('lets operators look and not upload', async () => {
    const page = await mountPresenters('operator')

    expect(page.findAll('[data-testid=presenter]')).toHaveLength(3)
    expect(page.find('[data-testid=upload-form]').exists()).toBe(false)
  })
})
