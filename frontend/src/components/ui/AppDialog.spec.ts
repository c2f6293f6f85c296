import { describe, expect, it } from 'vitest'

import { mountApp } from '../../../tests/mount'

import AppDialog from './AppDialog.vue'

function mountDialog() {
  const slots = { default: '<input class="inside" />' }
  const { wrapper } = mountApp(AppDialog, { props: { open: true, title: 'A secret' }, slots })
  return { wrapper, dialog: wrapper.get('dialog') }
}

describe('AppDialog', () => {
  it('stays when a mark that began inside ends outside', async () => {
    const { wrapper, dialog } = mountDialog()

    await wrapper.get('.inside').trigger('pointerdown')
    await dialog.trigger('click')
    expect(wrapper.emitted('update:open')).toBeUndefined()

    await dialog.trigger('pointerdown')
    await dialog.trigger('click')
    expect(wrapper.emitted('update:open')).toEqual([[false]])
  })

  it('closes before it is taken out of the page, which gives the focus back', () => {
    const { wrapper, dialog } = mountDialog()

    wrapper.unmount()

    expect((dialog.element as HTMLDialogElement).open).toBe(false)
  })
})
