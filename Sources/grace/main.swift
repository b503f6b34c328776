print("grace")
