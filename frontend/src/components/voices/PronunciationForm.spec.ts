import { beforeEach, describe, expect, it } from 'vitest'

import { signIn } from '@/api/client'
import { useSessionStore } from '@/stores/session'
import { useVoicesStore } from '@/stores/voices'

import { mountApp } from '../../../tests/mount'
import { eventually, useFakeServer } from '../../../tests/useFakeServer'

import App from '../../App.vue'
import PronunciationForm from './PronunciationForm.vue'

const server = useFakeServer()
const WORD = { id: 'w9', language: 'en-US', voice: null, text: 'LiveStudio', reading: 'live studio' }

function answer(body: unknown, status: number): void {
  server.current.state.overrides.set('POST pronunciations/', { status, body })
}

const asked = () =>
  server.current.state.requests.filter((item) => item.method === 'POST' && item.path === 'pronunciations/')

beforeEach(() => signIn('alice', 'correct-horse'))

function mountForm(text = 'LiveStudio', reading = 'live studio') {
  const { wrapper } = mountApp(PronunciationForm)
  const fill = async () => {
    await wrapper.get('[data-testid=word-text]').setValue(text)
    await wrapper.get('[data-testid=word-reading]').setValue(reading)
  }
  const send = () => wrapper.get('[data-testid=word-form]').trigger('submit')
  const typed = () => (wrapper.get('[data-testid=word-text]').element as HTMLInputElement).value
  return { wrapper, fill, send, typed }
}

describe('PronunciationForm', () => {
  it('says beside the field what is missing, and goes there', async () => {
    const { wrapper, send } = mountForm()
    await wrapper.get('[data-testid=word-text]').setValue('LiveStudio')

    await send()

    await eventually(() => expect(wrapper.findAll('[data-testid=field-error]')).toHaveLength(1))
    const reading = wrapper.get('[data-testid=word-reading]')
    expect(reading.attributes('aria-invalid')).toBe('true')
    expect(wrapper.get(`#${reading.attributes('aria-describedby')}`).text()).toBe('Fill this in.')
    expect(document.activeElement).toBe(reading.element)
    expect(asked()).toHaveLength(0)
  })

  it('counts a huge paste and keeps it', async () => {
    const huge = '福'.repeat(1_000_000)
    const { wrapper, fill, send, typed } = mountForm(huge)
    await fill()

    await send()

    await eventually(() => expect(wrapper.text()).toContain('At most 100 characters; this has 1000000.'))
    expect(typed()).toBe(huge)
    expect(asked()).toHaveLength(0)
  })

  it('shows a refusal of the server beside its field', async () => {
    const { wrapper, fill, send, typed } = mountForm()
    const details = [{ field: 'text', code: 'taken', message: 'This word is in the list.' }]
    answer({ error: { code: 'validation_error', message: 'Not saved.', details } }, 400)
    await fill()

    await send()

    const text = wrapper.get('[data-testid=word-text]')
    await eventually(() => expect(text.attributes('aria-invalid')).toBe('true'))
    expect(wrapper.findAll('[role=alert]').map((item) => item.text())).toEqual(['This word is in the list.'])
    expect(document.activeElement).toBe(text.element)
    expect(typed()).toBe('LiveStudio')
  })

  it('asks twice for the same thing with the same key, and with another one after a change', async () => {
    const { wrapper, fill, send } = mountForm()
    answer({ error: { code: 'internal_error', message: 'lost' } }, 502)
    await fill()

    await send()
    await eventually(() => expect(wrapper.find('[role=alert]').exists()).toBe(true))
    await send()
    await eventually(() => expect(asked()).toHaveLength(2))
    await eventually(() => expect(wrapper.get('[data-testid=word-add]').attributes('aria-busy')).toBeUndefined())
    await wrapper.get('[data-testid=word-reading]').setValue('life studio')
    await send()

    await eventually(() => expect(asked()).toHaveLength(3))
    const [first, second, third] = asked().map((item) => item.headers['idempotency-key'])
    expect(first).toBeTruthy()
    expect(second).toBe(first)
    expect(third).not.toBe(first)
  })

  it('saves once when its button is pressed twice', async () => {
    const { fill, send } = mountForm()
    answer(WORD, 201)
    await fill()

    await Promise.all([send(), send()])

    await eventually(() => expect(useVoicesStore().words).toHaveLength(1))
    expect(asked()).toHaveLength(1)
  })

  it('keeps what was typed while its user signs in again', async () => {
    const { wrapper: app, router } = mountApp(App)
    router.addRoute({ path: '/words/', component: PronunciationForm, meta: { needsSignIn: true } })
    await router.push('/words/')
    await useSessionStore().signIn('alice', 'correct-horse')
    await app.get('[data-testid=word-text]').setValue('LiveStudio')
    await app.get('[data-testid=word-reading]').setValue('live studio')
    server.current.state.tokens.clear()
    server.current.state.hasRefreshCookie = false

    await app.get('[data-testid=word-form]').trigger('submit')
    await eventually(() => expect(app.text()).toContain('Nothing you typed is lost'))
    expect((app.get('[data-testid=username]').element as HTMLInputElement).value).toBe('alice')
    await app.get('[data-testid=password]').setValue('correct-horse')
    await app.get('dialog form').trigger('submit')
    await eventually(() => expect(app.find('dialog').exists()).toBe(false))
    answer(WORD, 201)
    await app.get('[data-testid=word-form]').trigger('submit')

    await eventually(() => expect(useVoicesStore().words).toHaveLength(1))
    expect(asked().at(-1)?.body).toMatchObject({ text: 'LiveStudio', reading: 'live studio' })
  })
})
