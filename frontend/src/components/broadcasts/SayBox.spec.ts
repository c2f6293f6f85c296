import { beforeEach, describe, expect, it, vi } from 'vitest'

import { ApiError } from '@/api/errors'

import { mountApp } from '../../../tests/mount'
import { eventually } from '../../../tests/useFakeServer'

import SayBox from './SayBox.vue'

function mountBox(say = vi.fn().mockResolvedValue(undefined), isDisabled = false) {
  const { wrapper } = mountApp(SayBox, { props: { id: 'b1', say, isDisabled } })
  return { wrapper, say, text: wrapper.get<HTMLTextAreaElement>('[data-testid=say-text]') }
}

describe('SayBox', () => {
  beforeEach(() => sessionStorage.clear())

  it('says the line next on Enter and clears it once accepted', async () => {
    const { say, text } = mountBox()
    await text.setValue('  欢迎新朋友  ')

    await text.trigger('keydown', { key: 'Enter' })

    expect(say).toHaveBeenCalledWith({ text: '欢迎新朋友', interrupt: false }, expect.any(String))
    await eventually(() => expect(text.element.value).toBe(''))
  })

  it('cuts in on Ctrl+Enter with the chosen expression and gesture', async () => {
    const { wrapper, say, text } = mountBox()
    await text.setValue('限时五分钟')
    await wrapper.get('[data-testid=say-expression]').setValue('laugh')
    await wrapper.get('[data-testid=say-gesture]').setValue('wave')

    await text.trigger('keydown', { key: 'Enter', ctrlKey: true })

    const args = { text: '限时五分钟', interrupt: true, expression: 'laugh', gesture: 'wave' }
    expect(say).toHaveBeenCalledWith(args, expect.any(String))
  })

  it('says how long a line may be, and keeps all of it', async () => {
    const { wrapper, say, text } = mountBox()
    await text.setValue('啊'.repeat(2001))

    await text.trigger('keydown', { key: 'Enter' })

    expect(wrapper.get('[role=alert]').text()).toBe('At most 2000 characters; this has 2001.')
    expect(say).not.toHaveBeenCalled()
    expect(text.element.value).toHaveLength(2001)
  })

  it('keeps a line that is not said yet while the page is left, for its broadcast only', async () => {
    const first = mountBox()
    await first.text.setValue('限时五分钟')
    first.wrapper.unmount()

    const other = mountApp(SayBox, { props: { id: 'b2', say: vi.fn(), isDisabled: false } }).wrapper
    expect(other.get<HTMLTextAreaElement>('[data-testid=say-text]').element.value).toBe('')
    const { text } = mountBox()
    expect(text.element.value).toBe('限时五分钟')
    await text.trigger('keydown', { key: 'Enter' })
    await eventually(() => expect(text.element.value).toBe(''))
    expect(mountBox().text.element.value).toBe('')
  })

  it('keeps the line when the server refuses it, and says why where it was typed', async () => {
    const refused = new ApiError({ code: 'too_many_lines', message: 'Too many lines wait.' }, 409)
    const { wrapper, text } = mountBox(vi.fn().mockRejectedValue(refused))
    await text.setValue('a long line')

    await text.trigger('keydown', { key: 'Enter' })

    await eventually(() => expect(wrapper.get('[role=alert]').text()).toBe('Too many lines wait.'))
    expect(text.attributes('aria-describedby')).toBe(wrapper.get('[role=alert]').attributes('id'))
    expect(text.element.value).toBe('a long line')
    await text.setValue('a shorter line')
    expect(wrapper.find('[role=alert]').exists()).toBe(false)
    expect(wrapper.get('[data-testid=say-next]').attributes('disabled')).toBeUndefined()
  })

  it('asks with the same id again after a lost answer, so that the line is not said twice', async () => {
    const lost = new ApiError({ code: 'link_lost', message: '' }, 0)
    const say = vi.fn().mockRejectedValueOnce(lost).mockResolvedValue(undefined)
    const { wrapper, text } = mountBox(say)
    const id = (call: number) => (say.mock.calls[call] as [unknown, string])[1]
    await text.setValue('限时五分钟')
    await text.trigger('keydown', { key: 'Enter' })
    await eventually(() => expect(wrapper.find('[role=alert]').exists()).toBe(true))
    await text.trigger('keydown', { key: 'Enter' })
    await eventually(() => expect(text.element.value).toBe(''))

    await text.setValue('限时五分钟')
    await text.trigger('keydown', { key: 'Enter' })

    await eventually(() => expect(say).toHaveBeenCalledTimes(3))
    expect(id(1)).toBe(id(0))
    expect(id(2)).not.toBe(id(1))
  })

  it('keeps what was typed while the line was on its way', async () => {
    let accept = () => undefined as void
    const { text } = mountBox(vi.fn(() => new Promise<void>((resolve) => (accept = resolve))))
    await text.setValue('first')
    await text.trigger('keydown', { key: 'Enter' })
    await text.setValue('second')

    accept()
    await Promise.resolve()

    expect(text.element.value).toBe('second')
  })

  it('leaves Enter to a Chinese input method and Shift+Enter to a new line', async () => {
    const { say, text } = mountBox()
    await text.setValue('ni hao')

    await text.trigger('keydown', { key: 'Enter', isComposing: true })
    await text.trigger('keydown', { key: 'Enter', shiftKey: true })

    expect(say).not.toHaveBeenCalled()
  })

  it('is left with Esc, which a Chinese input method keeps for itself', async () => {
    const { text } = mountBox()
    text.element.focus()

    await text.trigger('keydown', { key: 'Escape', isComposing: true })
    expect(document.activeElement).toBe(text.element)
    await text.trigger('keydown', { key: 'Escape' })

    expect(document.activeElement).toBe(document.body)
  })

  it.each([
    ['blank', '   ', false],
    ['controls off', 'hello', true],
  ])('sends nothing: %s', async (_, line, isDisabled) => {
    const { wrapper, say, text } = mountBox(vi.fn(), isDisabled)
    await text.setValue(line)

    await text.trigger('keydown', { key: 'Enter' })

    expect(say).not.toHaveBeenCalled()
    expect(wrapper.get('[data-testid=say-now]').attributes('disabled')).toBeDefined()
  })
})
