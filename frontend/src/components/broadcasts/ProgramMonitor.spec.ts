import { describe, expect, it } from 'vitest'

import { mountApp } from '../../../tests/mount'

import ProgramMonitor from './ProgramMonitor.vue'

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
})
