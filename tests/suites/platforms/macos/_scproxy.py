"""What urllib asks macOS for: proxies, of which there are none."""


def _get_proxy_settings() -> dict[str, bool]:
    return {}


def _get_proxies() -> dict[str, str]:
    return {}
