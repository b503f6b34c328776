print("u")
