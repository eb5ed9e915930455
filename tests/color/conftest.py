from hypothesis import settings

settings.register_profile("no-clock", deadline=None)  # laws must not fail on a busy machine
settings.load_profile("no-clock")
