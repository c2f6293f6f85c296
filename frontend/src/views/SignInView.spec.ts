import { flushPromises } from '@vue/test-utils'
import { describe, expect, it, vi } from 'vitest'

import { i18n } from '@/i18n'

import { mountApp } from '../../tests/mount'
import { eventually, useFakeServer } from '../../tests/useFakeServer'

import SignInView from './SignInView.vue'

const server = useFakeServer()

async function signIn(password: string, next = '') {
  const { wrapper, router } = mountApp(SignInView)
  await router.push({ name: 'sign-in', query: next ? { next } : {} })
  await wrapper.get('[data-testid=username]').setValue('alice')
  await wrapper.get('[data-testid=password]').setValue(password)
  await wrapper.get('form').trigger('submit')
  return { wrapper, router }
}

describe('SignInView', () => {
  it('leads to the studio', async () => {
    const { router } = await signIn('correct-horse')

    await eventually(() => expect(router.currentRoute.value.name).toBe('studio'))
  })

  it('leads on who is signed in still, without a password', async () => {
    server.current.state.hasRefreshCookie = true
    localStorage.setItem('livestudio.signed-in', '1')

    const { router } = mountApp(SignInView)

    await eventually(() => expect(router.currentRoute.value.name).toBe('studio'))
  })

  it('leads back to where the visitor wanted to go', async () => {
    const { router } = await signIn('correct-horse', '/watch/42/')

    await eventually(() => expect(router.currentRoute.value.path).toBe('/watch/42/'))
  })

  it.each(['//evil.example/', 'https://evil.example/', '/admin/'])('goes nowhere else: %s', async (next) => {
    const { router } = await signIn('correct-horse', next)

    await eventually(() => expect(router.currentRoute.value.path).toBe('/studio/'))
  })

  it('says beside each field that it is empty, in the language of the page', async () => {
    const { wrapper } = mountApp(SignInView)
    i18n.global.locale.value = 'zh-CN'
    await wrapper.get('form').trigger('submit')

    expect(wrapper.findAll('[data-testid=field-error]').map((item) => item.text())).toEqual(['请填写此项。', '请填写此项。'])
    expect(document.activeElement).toBe(wrapper.get('[data-testid=username]').element)
    expect(server.current.state.requests).toEqual([])
  })

  it('tells that the server cannot be reached, and keeps what was typed', async () => {
    server.current.state.secondFactor = '123456'
    const { wrapper } = await signIn('correct-horse')
    await eventually(() => expect(wrapper.find('[data-testid=code]').exists()).toBe(true))
    await wrapper.get('[data-testid=code]').setValue('123456')
    vi.spyOn(window, 'fetch').mockRejectedValue(new TypeError('Failed to fetch'))
    await wrapper.get('form').trigger('submit')

    await eventually(() => expect(wrapper.get('[data-testid=sign-in-error]').text()).toContain('cannot be reached'))
    const typed = ['username', 'password', 'code'].map((name) => wrapper.get<HTMLInputElement>(`[data-testid=${name}]`).element.value)
    expect(typed).toEqual(['alice', 'correct-horse', '123456'])
  })

  it('tells a wrong password and keeps the name', async () => {
    const { wrapper, router } = await signIn('wrong')

    await eventually(() => expect(wrapper.find('[data-testid=sign-in-error]').exists()).toBe(true))
    expect(wrapper.get('[data-testid=sign-in-error]').text()).toBe('Wrong username or password.')
    expect((wrapper.get('[data-testid=username]').element as HTMLInputElement).value).toBe('alice')
    expect(router.currentRoute.value.name).toBe('sign-in')
  })

  it('asks for the code of a user with two-factor sign-in, and again when it is wrong', async () => {
    server.current.state.secondFactor = '123456'
    const { wrapper, router } = await signIn('correct-horse')
    await eventually(() => expect(wrapper.find('[data-testid=code]').exists()).toBe(true))
    expect(wrapper.find('[data-testid=sign-in-error]').exists()).toBe(false)

    await wrapper.get('[data-testid=code]').setValue('000000')
    await wrapper.get('form').trigger('submit')
    await eventually(() => expect(wrapper.text()).toContain('The code is wrong'))
    await wrapper.get('[data-testid=code]').setValue('123456')
    await wrapper.get('form').trigger('submit')

    await eventually(() => expect(router.currentRoute.value.name).toBe('studio'))
  })

  it('tells how long to wait after too many tries', async () => {
    const body = { error: { code: 'throttled', message: 'Too many.' } }
    server.current.state.overrides.set('POST auth/token/', { status: 429, body })

    const { wrapper } = await signIn('correct-horse')

    await eventually(() => expect(wrapper.text()).toContain('Too many requests'))
    await flushPromises()
  })
})
