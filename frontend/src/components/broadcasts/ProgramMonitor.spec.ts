import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { useSessionStore } from '@/stores/session'

import { installFakePeer } from '../../../tests/fakePeer'
import { mountApp } from '../../../tests/mount'
import { eventually, useFakeServer } from '../../../tests/useFakeServer'

import ProgramMonitor from './ProgramMonitor.vue'

const server = useFakeServer()
beforeEach(() => installFakePeer())
afterEach(() => vi.unstubAllGlobals())

function mountMonitor() {
  return mountApp(ProgramMonitor, { props: { broadcast: 'b1', isOnAir: true, caption: '' } }).wrapper
}

describe('ProgramMonitor', () => {
  it.each([
    [720, 1280, true],
    [1280, 720, false],
    [0, 0, false],
  ])('gives a picture of %i x %i the room that it needs', async (width, height, isUpright) => {
    const video = mountMonitor().get('video')
    Object.defineProperties(video.element, { videoWidth: { value: width }, videoHeight: { value: height } })

    await video.trigger('resize')

    expect(video.element.closest('figure')?.classList.contains('is-upright')).toBe(isUpright)
  })

  it('shows a show that is not public again when its user has signed in again', async () => {
    const body = { error: { code: 'not_authenticated', message: 'Sign in first.' } }
    server.current.state.overrides.set('POST ws-tickets/', { status: 401, body })
    const monitor = mountMonitor()
    await eventually(() => expect(monitor.attributes('data-state')).toBe('sign_in'))
    server.current.state.overrides.clear()

    await useSessionStore().signIn('alice', 'correct-horse')

    await eventually(() => expect(monitor.attributes('data-state')).toBe('connecting'))
  })
})
