import type { Organization } from '@/api/schema'
import { beforeEach, describe, expect, it, vi } from 'vitest'

import { signIn } from '@/api/client'
import { i18n } from '@/i18n'
import { useSessionStore } from '@/stores/session'
import { useVoicesStore } from '@/stores/voices'

import { IDS } from '../../tests/fake-server/server.mjs'
import { mountApp } from '../../tests/mount'
import { membership } from '../../tests/roles'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import VoicesView from './VoicesView.vue'

const server = useFakeServer()
const played: string[] = []
beforeEach(async () => {
  played.length = 0
  // What a browser has and jsdom has not: a player, and addresses for sounds.
  vi.stubGlobal('Audio', class extends EventTarget {
    constructor(readonly src: string) {
      super()
    }
    play = () => Promise.resolve(void played.push(this.src))
    pause = () => undefined
  })
  Object.assign(URL, { createObjectURL: () => 'blob:sound', revokeObjectURL: () => undefined })
  await signIn('alice', 'correct-horse')
})

async function mountVoices(role: Organization['role'] = 'owner') {
  const mounted = mountApp(VoicesView)
  const session = useSessionStore()
  session.organizations = [membership(role)]
  session.chooseOrganization(IDS.organization)
  await eventually(() => expect(mounted.wrapper.findAll('[data-testid=word]')).toHaveLength(3))
  return mounted.wrapper
}

describe('VoicesView', () => {
  it('lists voices by language and plays the sentence in one of them', async () => {
    const page = await mountVoices()

    const group = page.get('[data-language=en-US]')
    await group.get('[data-testid=audition-text]').setValue('Good evening.')
    await group.get('[data-testid=listen]').trigger('click')

    await eventually(() => expect(played).toEqual(['blob:sound']))
    const asked = server.current.state.requests.find((item) => item.path.endsWith('/preview/'))
    expect(asked?.path).toBe(`voices/${IDS.englishVoice}/preview/`)
    expect(asked?.body).toEqual({ text: 'Good evening.' })
    expect(group.get('[data-testid=listen]').attributes('aria-pressed')).toBe('true')
  })

  it('shows the rest of many words when it is asked to', async () => {
    const page = await mountVoices()
    const { words } = server.current.state.world
    const [word] = words
    if (word) words.push(...Array.from({ length: 120 }, (_, index) => ({ ...word, id: `w${index}` })))
    await useVoicesStore().load()
    expect(page.findAll('[data-testid=word]')).toHaveLength(100)
    expect(page.get('[data-testid=words] .count').text()).toBe('100+')

    await page.get('[data-testid=words] [data-testid=more]').trigger('click')

    await eventually(() => expect(page.findAll('[data-testid=word]')).toHaveLength(123))
    expect(page.get('[data-testid=words] .count').text()).toBe('123')
  })

  it('says at the voice why it could not be heard, in the language of the page', async () => {
    const error = { code: 'voice_preview_refused', message: 'The voice service answered with silence.', details: [] }
    server.current.state.overrides.set(`POST voices/${IDS.chineseVoice}/preview/`, { status: 422, body: { error } })
    const page = await mountVoices()
    i18n.global.locale.value = 'zh-CN'

    await page.get('[data-language=zh-CN] [data-testid=listen]').trigger('click')

    await eventually(() => expect(page.get('[role=alert]').text()).toBe('音色服务返回的是静音。'))
  })

  it('plays once when the button is pressed again and again while the voice is slow', async () => {
    const page = await mountVoices()
    const path = `POST voices/${IDS.chineseVoice}/preview/`
    const answers: ((answer: unknown) => void)[] = []
    const press = async () => {
      server.current.state.overrides.set(path, new Promise<unknown>((resolve) => answers.push(resolve)))
      await page.get('[data-language=zh-CN] [data-testid=listen]').trigger('click')
    }
    const asked = () => server.current.state.requests.filter((item) => item.path.endsWith('/preview/'))

    await press()
    await eventually(() => expect(asked()).toHaveLength(1))
    await press()
    await press()
    await eventually(() => expect(asked()).toHaveLength(2))
    answers.forEach((answer) => answer({ headers: { 'Content-Type': 'audio/wav' }, body: 'RIFF' }))
    await eventually(() => expect(played.length).toBeGreaterThan(0))
    await new Promise((resolve) => setTimeout(resolve, 200))

    expect(played).toHaveLength(1)
  })

  it('shows nothing of one organization under the name of the next', async () => {
    const page = await mountVoices()
    let answer = (_: unknown) => undefined as void
    await page.get('[data-testid=word-text]').setValue('小岚')
    const session = useSessionStore()
    await useVoicesStore().load()
    server.current.state.overrides.set('GET voices/', new Promise<unknown>((resolve) => (answer = resolve)))

    session.organizations = [...session.organizations, membership('owner', 'comet')]
    session.chooseOrganization('comet')
    const loaded = useVoicesStore().load()
    await page.vm.$nextTick()

    expect(page.findAll('[data-testid=voice], [data-testid=word]')).toHaveLength(0)
    answer(undefined)
    await loaded
    await page.vm.$nextTick()
    expect(page.get<HTMLInputElement>('[data-testid=word-text]').element.value).toBe('')
  })

  it('advises once about basic voices', async () => {
    const page = await mountVoices()
    expect(page.get('[data-testid=voice-advice]').text()).toContain('sound like a machine')

    await page.get('[data-testid=dismiss-advice]').trigger('click')

    expect(page.find('[data-testid=voice-advice]').exists()).toBe(false)
    const again = await mountVoices()
    expect(again.find('[data-testid=voice-advice]').exists()).toBe(false)
  })

  it('does not advise where a better voice is', async () => {
    Object.assign(server.current.state.world.voices[0] ?? {}, { engine: 'edge' })
    const page = await mountVoices()

    expect(page.find('[data-testid=voice-advice]').exists()).toBe(false)
  })

  it('adds, changes and removes words, and keeps what was refused', async () => {
    const page = await mountVoices()
    const form = page.get('[data-testid=word-form]')
    await form.get('select').setValue('zh-CN')
    await form.get('[data-testid=word-text]').setValue('长龙')
    await form.get('[data-testid=word-reading]').setValue('chang2 long9')
    await form.trigger('submit')
    await eventually(() => expect(form.get('[role=alert]').text()).toContain('is not pinyin'))
    expect((form.get('[data-testid=word-text]').element as HTMLInputElement).value).toBe('长龙')

    await form.get('[data-testid=word-reading]').setValue('chang2 long2')
    await form.trigger('submit')
    await eventually(() => expect(page.findAll('[data-testid=word]')).toHaveLength(4))
    expect(server.current.state.world.words[0]).toMatchObject({ language: 'zh-CN', voice: null, text: '长龙' })

    await page.findAll('[data-testid=word-remove]')[0]?.trigger('click')
    await eventually(() => expect(page.findAll('[data-testid=word]')).toHaveLength(3))
  })

  it('gives a reading up with Esc, which a Chinese input method keeps for itself', async () => {
    const page = await mountVoices()
    const row = page.findAll('[data-testid=word]')[0]!
    await row.get('button').trigger('click')
    const field = row.get('input')

    await field.trigger('keydown', { key: 'Escape', isComposing: true })
    expect(row.find('input').exists()).toBe(true)
    await field.trigger('keydown', { key: 'Escape' })

    expect(row.find('input').exists()).toBe(false)
  })

  it('lets operators listen and not change', async () => {
    const page = await mountVoices('operator')
    expect(document.title).toBe('Voices · LiveStudio')

    expect(page.find('[data-testid=word-form]').exists()).toBe(false)
    expect(page.find('[data-testid=word-remove]').exists()).toBe(false)
    expect(page.find('[data-testid=listen]').exists()).toBe(true)
  })
})
