import { beforeEach, describe, expect, it } from 'vitest'

import { signIn } from '@/api/client'

import { mountApp } from '../../../tests/mount'
import { eventually, useFakeServer } from '../../../tests/useFakeServer'

import CalendarDialog from './CalendarDialog.vue'

const server = useFakeServer()
beforeEach(() => signIn('alice', 'correct-horse'))

const path = 'POST organizations/o1/calendar/'
const mountDialog = () => mountApp(CalendarDialog, { props: { organization: 'o1', open: true } }).wrapper

describe('CalendarDialog', () => {
  it('makes an address only when asked, and shows it', async () => {
    const url = 'https://studio.example/api/v1/organizations/o1/calendar.ics?token=t'
    server.current.state.overrides.set(path, { status: 201, body: { url, created_at: '2026-11-21T00:00:00Z', created_by: 'alice' } })
    const wrapper = mountDialog()
    expect(server.current.state.requests.some((item) => item.path.endsWith('/calendar/'))).toBe(false)
    expect(wrapper.text()).toContain('ends the one before')

    await wrapper.get('[data-testid=calendar-renew]').trigger('click')

    await eventually(() => expect(wrapper.find('[data-testid=calendar-url]').exists()).toBe(true))
    expect((wrapper.get('[data-testid=calendar-url]').element as HTMLInputElement).value).toBe(url)
    expect(wrapper.find('[data-testid=calendar-renew]').exists()).toBe(false)
  })

  it('says why there is none', async () => {
    const body = { error: { code: 'forbidden', message: 'Your role does not allow this.', details: [] } }
    server.current.state.overrides.set(path, { status: 403, body })
    const wrapper = mountDialog()

    await wrapper.get('[data-testid=calendar-renew]').trigger('click')

    await eventually(() => expect(wrapper.get('[role=alert]').text()).not.toBe(''))
  })
})
