import { mount } from '@vue/test-utils'
import { describe, expect, it } from 'vitest'

import { i18n } from '@/i18n'

import FilePicker from './FilePicker.vue'

function mountPicker(locale: 'zh-CN' | 'en') {
  i18n.global.locale.value = locale
  return mount(FilePicker, { props: { label: 'Photo' }, attrs: { accept: '.png' }, global: { plugins: [i18n] } })
}

async function give(page: ReturnType<typeof mountPicker>, ...files: File[]): Promise<void> {
  const input = page.get('input')
  Object.defineProperty(input.element, 'files', { value: files, configurable: true })
  await input.trigger('change')
}

describe('FilePicker', () => {
  it('speaks the language of the page', () => {
    expect(mountPicker('zh-CN').text()).toContain('选择文件')
    expect(mountPicker('zh-CN').text()).toContain('未选择文件')
    expect(mountPicker('en').text()).toContain('Choose a file')
  })

  it('keeps a real field for the keyboard, named by its label', () => {
    const page = mountPicker('en')
    const input = page.get('label input')

    expect(input.attributes()).toMatchObject({ type: 'file', accept: '.png' })
    expect(page.get('label').text()).toContain('Photo')
  })

  it('shows the name of the file and hands it out, until it is cleared', async () => {
    const page = mountPicker('en')
    const file = new File(['x'], '一张很长的照片 photo.png')
    await give(page, file)

    expect(page.text()).toContain('一张很长的照片 photo.png')
    expect(page.emitted('choose')).toEqual([[file]])

    ;(page.vm as unknown as { clear: () => void }).clear()
    await page.vm.$nextTick()
    expect(page.text()).toContain('No file chosen')
  })

  it('tells that a choice was taken back', async () => {
    const page = mountPicker('en')
    await give(page, new File(['x'], 'a.png'))
    await give(page)

    expect(page.emitted('choose')?.at(-1)).toEqual([null])
  })
})
