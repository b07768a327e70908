"""Pictures that customers and staff upload: made anew from their pixels, kept with what they are about."""
