import { beforeEach, describe, expect, it, vi } from 'vitest'

import { i18n } from '@/i18n'

import { mountApp } from '../../../tests/mount'

import PhotoMarks from './PhotoMarks.vue'
import { MARKS } from './marks'

const WIDTH = 1000
const HEIGHT = 800

beforeEach(() => {
  Object.assign(URL, { createObjectURL: () => 'blob:photo', revokeObjectURL: () => undefined })
})

/** The photo as the browser has read it. */
async function mountMarks() {
  const { wrapper } = mountApp(PhotoMarks, { props: { photo: new File(['x'], 'me.jpg', { type: 'image/jpeg' }) } })
  const image = wrapper.get('img')
  Object.defineProperties(image.element, { naturalWidth: { value: WIDTH }, naturalHeight: { value: HEIGHT } })
  await image.trigger('load')
  return wrapper
}

type Marks = Awaited<ReturnType<typeof mountMarks>>

const markOf = (page: Marks, name: string) => page.get(`[data-mark=${name}]`)

/** As a phone shows it; the pointer is held by the drawing. */
function photoAtHalfSize(page: Marks) {
  const drawing = page.get('svg')
  const area = { left: 10, top: 20, width: WIDTH / 2, height: HEIGHT / 2 } as DOMRect
  vi.spyOn(drawing.element, 'getBoundingClientRect').mockReturnValue(area)
  Object.assign(drawing.element, { setPointerCapture: () => undefined, hasPointerCapture: () => true })
  return drawing
}

async function toldBy(page: Marks): Promise<{ width_px: number; height_px: number; frames: { faces: number[][][] }[] }> {
  const file = page.emitted('marked')?.at(-1)?.[0] as File
  const text = await new Promise<string>((resolve) => {
    const reader = new FileReader()
    reader.addEventListener('load', () => resolve(String(reader.result)))
    reader.readAsText(file)
  })
  return JSON.parse(text) as Awaited<ReturnType<typeof toldBy>>
}

describe('PhotoMarks', () => {
  it('tells nothing before a mark is set: marks that nobody moved are no face', async () => {
    const page = await mountMarks()

    expect(page.findAll('circle.mark')).toHaveLength(17)
    expect(page.emitted('marked')?.at(-1)).toEqual([null])
    expect(page.get('[role=status]').text()).toContain('Not set yet')
  })

  it('moves the chosen mark with the arrow keys, with Shift in larger steps', async () => {
    const page = await mountMarks()
    const chin = markOf(page, 'chin')
    await chin.trigger('focus')
    await chin.trigger('keydown', { key: 'ArrowDown' })
    await chin.trigger('keydown', { key: 'ArrowLeft', shiftKey: true })

    const told = await toldBy(page)
    const number = MARKS.findIndex(([name]) => name === 'chin')
    expect([told.width_px, told.height_px]).toEqual([WIDTH, HEIGHT])
    expect(told.frames[0]?.faces[0]).toHaveLength(17)
    expect(told.frames[0]?.faces[0]?.[number]).toEqual([500 - 16, 528 + 2])
    expect(page.get('[role=status]').text()).toBe('Set by hand. Chosen: chin.')
  })

  it('drags a mark, and no further than the photo reaches', async () => {
    const page = await mountMarks()
    const drawing = photoAtHalfSize(page)

    // The nose is at 500, 384: the finger a little beside it, and so it stays.
    await page.get('.grip').trigger('pointerdown', { clientX: 10 + 255, clientY: 20 + 190, pointerId: 1 })
    await drawing.trigger('pointermove', { clientX: 110 + 5, clientY: 120 - 2, pointerId: 1 })
    const inside = (await toldBy(page)).frames[0]?.faces[0]?.[8]
    await drawing.trigger('pointermove', { clientX: 9000, clientY: -40, pointerId: 1 })

    expect(inside).toEqual([200, 200])
    expect((await toldBy(page)).frames[0]?.faces[0]?.[8]).toEqual([WIDTH - 1, 0])
  })

  it('takes the nearest mark where a finger covers several', async () => {
    const page = await mountMarks()
    photoAtHalfSize(page)

    await page.get('.grip').trigger('pointerdown', { clientX: 10 + 210, clientY: 20 + 160, pointerId: 1 })

    // Between the lids, at 420, 308 and 420, 332 of the photo: a hair nearer to the upper one.
    expect(page.get('[role=status]').text()).toContain('upper lid')
  })

  it('begins anew with another photo', async () => {
    const page = await mountMarks()
    await markOf(page, 'chin').trigger('keydown', { key: 'ArrowUp' })

    await page.setProps({ photo: new File(['y'], 'you.jpg', { type: 'image/jpeg' }) })

    expect(page.emitted('marked')?.at(-1)).toEqual([null])
    expect(page.find('svg').exists()).toBe(false)
  })

  it('says so when the browser cannot show the file, and is well again with another one', async () => {
    const { wrapper: page } = mountApp(PhotoMarks, { props: { photo: new File(['x'], 'me.jpg', { type: 'image/jpeg' }) } })
    await page.get('img').trigger('error')

    expect(page.get('[role=alert]').text()).toContain('cannot show this file')
    await page.setProps({ photo: new File(['y'], 'you.jpg', { type: 'image/jpeg' }) })
    expect(page.find('[role=alert]').exists()).toBe(false)
  })

  it('names the marks in the language of the page', async () => {
    const page = await mountMarks()
    i18n.global.locale.value = 'zh-CN'
    await page.vm.$nextTick()

    expect(markOf(page, 'nose_tip').attributes('aria-label')).toBe('鼻尖')
  })
})
