import { defineStore } from 'pinia'
import { ref, watch } from 'vue'

import { i18n, isLanguage, type Language } from '@/i18n'

export type Theme = 'dark' | 'light'

function recall(name: string): string | null {
  try {
    return localStorage.getItem(`livestudio.${name}`)
  } catch {
    return null
  }
}

function remember(name: string, value: string): void {
  try {
    localStorage.setItem(`livestudio.${name}`, value)
  } catch {
    // Private windows may refuse storage: the choice then lasts for this page.
  }
}

function firstLanguage(): Language {
  const stored = recall('language')
  if (isLanguage(stored)) return stored
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh-CN' : 'en'
}

/** Choices of this browser: language, theme, captions. */
export const usePreferencesStore = defineStore('preferences', () => {
  const language = ref<Language>(firstLanguage())
  const theme = ref<Theme>(recall('theme') === 'light' ? 'light' : 'dark')
  const hasCaptions = ref(recall('captions') === 'on')
  const hasCaptionView = ref(recall('caption-view') === 'on')

  watch(language, applyLanguage, { immediate: true })
  watch(theme, applyTheme, { immediate: true })
  watch(hasCaptions, (value) => remember('captions', value ? 'on' : 'off'))

  function applyLanguage(value: Language): void {
    i18n.global.locale.value = value
    document.documentElement.lang = value
  }

  function applyTheme(value: Theme): void {
    document.documentElement.dataset.theme = value
  }

  function setLanguage(value: Language): void {
    language.value = value
    remember('language', value)
  }

  function toggleTheme(): void {
    theme.value = theme.value === 'dark' ? 'light' : 'dark'
    remember('theme', theme.value)
  }

  /** In the console: the sentence of the moment in large type instead of the transcript. */
  function toggleCaptionView(): void {
    hasCaptionView.value = !hasCaptionView.value
    remember('caption-view', hasCaptionView.value ? 'on' : 'off')
  }

  const isDismissed = (advice: string): boolean => recall(`dismissed.${advice}`) === 'yes'
  const dismiss = (advice: string): void => remember(`dismissed.${advice}`, 'yes')

  return {
    language,
    theme,
    hasCaptions,
    hasCaptionView,
    setLanguage,
    toggleTheme,
    toggleCaptionView,
    isDismissed,
    dismiss,
  }
})
