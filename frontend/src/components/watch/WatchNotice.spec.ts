import { describe, expect, it } from 'vitest'

import { FIRST_STATUS, type WatchStatus } from '@/realtime/watchSession'

import { mountApp } from '../../../tests/mount'

import WatchNotice from './WatchNotice.vue'

function mountNotice(fields: Partial<WatchStatus>) {
  const status: WatchStatus = { ...FIRST_STATUS, ...fields }
  return mountApp(WatchNotice, { props: { status } }).wrapper
}

describe('WatchNotice', () => {
  it.each([
    ['signalling', 'The live server did not answer'],
    ['ice', 'No network path for the picture'],
    ['dtls', 'The encrypted connection was not made'],
    ['decode', 'Connected, but no picture'],
    ['broadcast', 'The broadcast failed'],
    ['full', 'The show is full'],
  ] as const)('names the failed step %s in plain words', (place, title) => {
    const notice = mountNotice({ state: 'failed', place, detail: 'detail of it' })

    expect(notice.get('h2').text()).toBe(title)
    expect(notice.text()).toContain('Stopped at:')
    expect(notice.text()).toContain('detail of it')
  })

  it('counts down to the next try and can be pressed before', async () => {
    const notice = mountNotice({ state: 'failed', place: 'ice', retryAtMs: Date.now() + 4_200 })

    await notice.get('[data-testid=watch-retry]').trigger('click')

    expect(notice.text()).toMatch(/Trying again in [45] s/)
    expect(notice.emitted('retry')).toHaveLength(1)
  })

  it('does not read the seconds out one by one', () => {
    const notice = mountNotice({ state: 'failed', place: 'ice', retryAtMs: Date.now() + 4_200 })

    // A timer is no live region, though all around it is one.
    expect(notice.get('.countdown').attributes('role')).toBe('timer')
  })

  it('leads to the sign-in and back where the show is not public', () => {
    const link = mountNotice({ state: 'sign_in' }).get('[data-testid=watch-sign-in]')

    expect(link.attributes('href')).toBe('/sign-in/?next=/')
  })

  it.each(['waiting', 'connecting', 'recovering', 'sign_in'] as const)('has no button while %s', (state) => {
    expect(mountNotice({ state }).find('button').exists()).toBe(false)
  })
})
