import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

import { FakePeer, installFakePeer } from '../../../tests/fakePeer'
import { IDS } from '../../../tests/fake-server/server.mjs'
import { mountApp } from '../../../tests/mount'
import { eventually, useFakeServer } from '../../../tests/useFakeServer'

import WatchStage from './WatchStage.vue'

const server = useFakeServer()
beforeEach(() => {
  installFakePeer()
  HTMLMediaElement.prototype.play = () => Promise.resolve()
})
afterEach(() => vi.unstubAllGlobals())

async function watchLive() {
  const { wrapper } = mountApp(WatchStage, { props: { id: IDS.broadcast } })
  await eventually(() => expect(FakePeer.all[0]?.remote).toBeTruthy())
  FakePeer.last.connect()
  FakePeer.last.isPlaying = true
  await eventually(() => expect(wrapper.attributes('data-state')).toBe('live'))
  return wrapper
}

describe('WatchStage', () => {
  it('plays muted and offers one button for the sound', async () => {
    const stage = await watchLive()
    const video = stage.get<HTMLVideoElement>('[data-testid=watch-video]').element
    expect(video.muted).toBe(true)

    await stage.get('[data-testid=turn-on-sound]').trigger('click')

    expect(video.muted).toBe(false)
    expect(stage.attributes('data-muted')).toBe('false')
    expect(stage.find('[data-testid=turn-on-sound]').exists()).toBe(false)
  })

  it('shows captions only when they are wanted', async () => {
    const stage = await watchLive()
    const caption = { type: 'caption', utterance: 'u', text: '今晚799元', start_ms: 0, end_ms: 600_000 }
    server.current.pushWatch(caption)

    await stage.get('[data-testid=toggle-captions]').trigger('click')

    await eventually(() => expect(stage.get('[data-testid=watch-caption]').text()).toBe('今晚799元'))
    expect(localStorage.getItem('livestudio.captions')).toBe('on')
    await stage.get('[data-testid=toggle-captions]').trigger('click')
    expect(stage.find('[data-testid=watch-caption]').exists()).toBe(false)
  })

  it('takes the shape of the video', async () => {
    const stage = await watchLive()
    const video = stage.get('[data-testid=watch-video]')
    Object.defineProperties(video.element, { videoWidth: { value: 720 }, videoHeight: { value: 1280 } })

    await video.trigger('resize')

    expect(stage.attributes('style')).toContain('--ratio: 0.5625')
  })

  it('fills the screen of a phone that shows only videos so', async () => {
    const stage = await watchLive()
    const enter = vi.fn()
    Object.assign(stage.get('[data-testid=watch-video]').element, { webkitEnterFullscreen: enter })

    await stage.get('[data-testid=toggle-fullscreen]').trigger('click')

    expect(enter).toHaveBeenCalledOnce()
  })

  it('stays as it is where full screen is not allowed', async () => {
    const stage = await watchLive()
    const refused = Promise.reject(new TypeError('not granted'))
    const wasHandled = vi.spyOn(refused, 'catch')
    Object.assign(stage.element, { requestFullscreen: () => refused })

    await stage.get('[data-testid=toggle-fullscreen]').trigger('click')

    expect(wasHandled).toHaveBeenCalledOnce()
    expect(stage.attributes('data-state')).toBe('live')
  })

  it('always says that the presenter is generated', async () => {
    server.current.state.watchGreeting = { type: 'state', state: 'starting', reason: '' }
    const { wrapper } = mountApp(WatchStage, { props: { id: IDS.broadcast } })

    await eventually(() => expect(wrapper.attributes('data-state')).toBe('waiting'))
    expect(wrapper.get('[data-testid=ai-label]').text()).toBe('AI-generated')
    expect(wrapper.text()).toContain('The show has not started')
  })
})
