// Runs before the first paint so that a light page never flashes dark; inline scripts are not allowed.
(function () {
  try {
    var root = document.documentElement
    var theme = localStorage.getItem('livestudio.theme')
    var language = localStorage.getItem('livestudio.language')
    if (theme === 'light' || theme === 'dark') root.setAttribute('data-theme', theme)
    if (language === 'zh-CN' || language === 'en') root.setAttribute('lang', language)
  } catch (error) {
    // Storage is blocked: the defaults in the page stay.
  }
})()
